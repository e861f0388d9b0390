-- compatible-with: 20261130000023
-- The parcels of an order: [{"id", "warehouse_id", "status", "lines"}]. Null or one element if all lines are in one parcel: its id is that of
-- the order, and its status follows from that of the order. So an older program that ships the order ships its parcels.
alter table orders add column parcels jsonb;

-- Each parcel of an order is a shipment of its own. An older program ships all of them as one, without an id.
alter table shipment add column parcel_id uuid;
