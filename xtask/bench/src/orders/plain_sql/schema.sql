-- The tables of the order service that placing an order writes, with their constraints and indexes, as they were when this
-- bench was written. They stay as they are, so that the figure remains comparable when the service changes.
drop schema public cascade;
create schema public;

create table orders (
    id uuid primary key,
    customer_id uuid not null,
    status text not null check (status in (
        'placed', 'reserved', 'confirmed', 'shipped', 'delivered', 'rejected', 'payment_failed', 'expired', 'cancelled'
    )),
    method text not null check (method in ('test', 'test_decline', 'manual')),
    total bigint check (total >= 0),
    currency text,
    reason jsonb,
    payment_id uuid,
    shipping_address jsonb not null,
    placed_at timestamptz not null,
    changed_at timestamptz not null,
    due_at timestamptz,
    traceparent text,
    check ((total is null) = (currency is null))
) with (fillfactor = 70);

create index orders_due on orders (due_at) where due_at is not null;
create index orders_of_customer on orders (customer_id, id);
create index orders_of_status on orders (status, id);

create table order_line (
    order_id uuid not null references orders (id),
    sku text not null,
    quantity integer not null check (quantity >= 1),
    product_id uuid,
    unit_price bigint check (unit_price >= 0),
    currency text,
    title jsonb,
    primary key (order_id, sku),
    check ((unit_price is null) = (currency is null))
);

create table order_timeline (
    order_id uuid not null,
    position bigint generated always as identity,
    at timestamptz not null,
    service text not null,
    event text not null,
    status text not null,
    detail jsonb not null,
    primary key (order_id, position)
);

create table sequence (
    aggregate text not null,
    key text not null,
    last bigint not null check (last >= 1),
    primary key (aggregate, key)
) with (fillfactor = 80);

create table outbox (
    id bigint generated always as identity primary key,
    event_id uuid not null,
    kind text not null,
    aggregate text not null,
    key text not null,
    slot smallint not null,
    seq bigint not null,
    time timestamptz not null,
    traceparent text,
    data text not null,
    bulk boolean not null default false
);

-- The stock of the flash sale.
create table stock (
    sku text primary key,
    on_hand bigint not null,
    reserved bigint not null,
    check (reserved >= 0 and reserved <= on_hand)
);

insert into stock (sku, on_hand, reserved) values ('BENCH-FLASH', 100, 0);

-- Unique for each client and its transactions, and increasing, as the ids of the service are.
create function order_id(client integer, number integer) returns uuid
language sql immutable
return cast(lpad(to_hex(client), 8, '0') || lpad(to_hex(number), 24, '0') as uuid);

checkpoint;
