-- compatible-with: 20261130000023
-- An order has a shipment for each parcel.
alter table shipment drop constraint shipment_order_id_key;
