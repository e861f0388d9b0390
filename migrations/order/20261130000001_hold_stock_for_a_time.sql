-- compatible-with: 20261129000031
-- For how long the stock of a reserved order is held, and whether the customer has extended that time. Null for orders
-- that were reserved before.
alter table orders add column hold_seconds integer check (hold_seconds >= 0);
alter table orders add column hold_extended boolean not null default false;
