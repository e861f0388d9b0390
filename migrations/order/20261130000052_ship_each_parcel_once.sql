-- compatible-with: 20261130000023
-- A parcel ships once. The index also finds the shipments of an order. While it is built, shipments wait; nothing else does. An index that
-- is built concurrently would stay invalid if the migrator gave up waiting.
create unique index shipment_of_parcel on shipment (order_id, parcel_id) nulls not distinct;
