-- compatible-with: 20261129000031
-- Lines, payments and shipments are only inserted by transactions that have inserted or locked their order, and orders are never
-- deleted. A foreign key would look the order up once more for each row.
alter table order_line drop constraint order_line_order_id_fkey;
alter table payment drop constraint payment_order_id_fkey;
alter table shipment drop constraint shipment_order_id_fkey;
