-- Counts of SKUs that no product event has registered yet: the two events come through different queues. A later count of the
-- SKU replaces an earlier one.
create table pending_count (
    sku text primary key,
    quantity bigint not null check (quantity >= 0),
    import_id uuid not null
);
