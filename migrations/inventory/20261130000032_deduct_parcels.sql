-- compatible-with: 20261129000002
-- What left in a parcel while the order held other pieces. These pieces are no longer in reservation_line: so an older program releases
-- or deducts only what is left, and reservation_discrepancy counts only that. No foreign keys, as in reservation_line.
create table deducted_line (
    parcel_id uuid not null,
    order_id uuid not null,
    sku text not null,
    warehouse_id uuid not null,
    quantity bigint not null check (quantity >= 1),
    deducted_at timestamptz not null,
    primary key (parcel_id, sku)
);

create index deducted_line_of_order on deducted_line (order_id);
