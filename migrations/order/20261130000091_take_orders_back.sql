-- compatible-with: 20261129000031
-- Pieces of orders come back. An order of which all pieces have come back is `returned`: a program of an earlier release cannot read it, so
-- returns are received once all instances are upgraded.
alter table orders drop constraint orders_status_check;
alter table orders add constraint orders_status_check check (status in (
    'placed', 'reserved', 'confirmed', 'shipped', 'delivered', 'returned', 'rejected', 'payment_failed', 'expired', 'cancelled'
)) not valid;
alter table orders validate constraint orders_status_check;

-- How many pieces of the line have come back.
alter table order_line add column returned integer not null default 0;
alter table order_line add constraint order_line_returned_check check (returned between 0 and quantity) not valid;
alter table order_line validate constraint order_line_returned_check;

-- A return of pieces of an order. Transactions that write it have locked its order.
create table order_return (
    id uuid primary key,
    order_id uuid not null,
    state text not null check (state in ('requested', 'received', 'refused')),
    requested_at timestamptz not null,
    -- When the warehouse received or refused it.
    decided_at timestamptz,
    -- Why it was refused.
    refusal text,
    -- Where it arrived, if the warehouse told it.
    warehouse_id uuid,
    check ((state = 'requested') = (decided_at is null)),
    check ((state = 'refused') = (refusal is not null))
);

create index order_return_of_order on order_return (order_id);

create table return_line (
    return_id uuid not null,
    sku text not null,
    -- What the customer announced.
    quantity integer not null check (quantity >= 1),
    reason text not null,
    -- What arrived and went into stock, and what arrived and cannot be sold any more.
    restocked integer not null default 0 check (restocked >= 0),
    written_off integer not null default 0 check (written_off >= 0),
    primary key (return_id, sku),
    check (restocked + written_off <= quantity)
);
