-- Stock per SKU and warehouse, reservations and the ledger.

-- Places that hold stock. Their ids sort by the time they were opened, and orders are served from them in that order.
create table warehouse (
    id uuid primary key,
    name text not null check (length(name) between 1 and 100),
    opened_at timestamptz not null default now(),
    constraint warehouse_name_key unique (name)
);

-- The warehouse that is meant where none is named. Its id is older than any that is made later, so it comes first.
insert into warehouse (id, name) values ('01900000-0000-7000-8000-000000000001', 'Main warehouse');

-- How far each product of the catalogue is known here: the version guard of the projection.
create table product (
    product_id uuid primary key,
    version bigint not null check (version >= 1),
    deleted boolean not null
);

-- Which products list which SKUs, or once did. Keyed by both, so that a SKU that moves from one product to another is
-- right in whichever order the two are heard; it is withdrawn when no product lists it any more.
create table product_sku (
    product_id uuid not null,
    sku text not null,
    withdrawn_at timestamptz,
    primary key (product_id, sku)
);

create index product_sku_by_sku on product_sku (sku);

-- A SKU that was heard of, and how often its level has changed. It is never deleted: stock outlives its product.
create table item (
    sku text primary key,
    version bigint not null default 1 check (version >= 1),
    heard_at timestamptz not null default now()
) with (fillfactor = 80);

-- The level of a SKU in a warehouse. Whoever changes one holds the advisory lock of the stock (see the service's
-- storage::stock), so that the writers never wait for one another in a circle.
create table stock (
    sku text not null references item,
    warehouse_id uuid not null references warehouse,
    on_hand bigint not null,
    reserved bigint not null,
    primary key (sku, warehouse_id),
    -- The last line of defence: whatever the code believes, nothing is promised that is not there.
    constraint stock_never_oversold check (reserved >= 0 and reserved <= on_hand)
) with (fillfactor = 80);

-- What was set aside for an order. An order that was rejected has none.
create table reservation (
    order_id uuid primary key,
    state text not null check (state in ('reserved', 'released', 'deducted')),
    reserved_at timestamptz not null,
    closed_at timestamptz,
    constraint reservation_closed_when_over check ((state = 'reserved') = (closed_at is null))
) with (fillfactor = 80);

-- From where it was set aside. No foreign keys: a line is written in the same statement as its reservation, and a check of
-- each row would cost more than the row.
create table reservation_line (
    order_id uuid not null,
    sku text not null,
    warehouse_id uuid not null,
    quantity bigint not null check (quantity >= 1),
    primary key (order_id, sku, warehouse_id)
);

-- Every movement of stock, with the balance after it. Nothing here is ever changed or deleted.
create table ledger (
    -- Within a SKU the order of ids is the order of the movements.
    id bigint generated always as identity,
    sku text not null,
    warehouse_id uuid not null,
    kind text not null check (kind in ('set', 'adjusted', 'reserved', 'released', 'deducted')),
    on_hand_delta bigint not null,
    reserved_delta bigint not null,
    on_hand_after bigint not null,
    reserved_after bigint not null,
    -- For which order; null for what people did.
    order_id uuid,
    reason text,
    -- Who did it: the subject of a token, or the service whose event was followed.
    actor text not null,
    at timestamptz not null,
    primary key (sku, id)
);

-- Levels that are not the sum of their movements. It must be empty.
create view ledger_discrepancy as
select
    sku,
    warehouse_id,
    coalesce(s.on_hand, 0) as on_hand,
    coalesce(l.on_hand, 0) as on_hand_by_ledger,
    coalesce(s.reserved, 0) as reserved,
    coalesce(l.reserved, 0) as reserved_by_ledger
from stock s
full join (
    select sku, warehouse_id, sum(on_hand_delta)::bigint as on_hand, sum(reserved_delta)::bigint as reserved
    from ledger
    group by sku, warehouse_id
) l using (sku, warehouse_id)
where coalesce(s.on_hand, 0) <> coalesce(l.on_hand, 0) or coalesce(s.reserved, 0) <> coalesce(l.reserved, 0);

-- Levels whose reserved pieces are not those of the living reservations. It must be empty.
create view reservation_discrepancy as
select
    sku,
    warehouse_id,
    coalesce(s.reserved, 0) as reserved,
    coalesce(r.reserved, 0) as reserved_by_orders
from stock s
full join (
    select l.sku, l.warehouse_id, sum(l.quantity)::bigint as reserved
    from reservation_line l
    join reservation r on r.order_id = l.order_id and r.state = 'reserved'
    group by l.sku, l.warehouse_id
) r using (sku, warehouse_id)
where coalesce(s.reserved, 0) <> coalesce(r.reserved, 0);
