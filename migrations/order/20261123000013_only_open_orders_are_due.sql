-- The process does nothing to an order that has ended: one with a deadline would be looked at for ever. Orders that are there are not
-- looked at for it: the process writes none.
alter table orders add constraint only_open_orders_are_due
    check (due_at is null or status in ('placed', 'reserved', 'confirmed', 'shipped')) not valid;
