-- Orders, what was paid and shipped for them, and everything that happened to them.

create table orders (
    id uuid primary key,
    customer_id uuid not null,
    status text not null check (status in (
        'placed', 'reserved', 'confirmed', 'shipped', 'delivered', 'rejected', 'payment_failed', 'expired', 'cancelled'
    )),
    -- How it is to be paid for.
    method text not null check (method in ('test', 'test_decline', 'manual')),
    -- In minor units; null as long as the price of a line is not known.
    total bigint check (total >= 0),
    currency text,
    -- Why it ended without being shipped: {"code", "text", "shortages"?}.
    reason jsonb,
    -- The payment that paid for it.
    payment_id uuid,
    shipping_address jsonb not null,
    placed_at timestamptz not null,
    changed_at timestamptz not null,
    -- When the process looks at it next, whatever else happens; null if only an event can move it, or nothing any more.
    due_at timestamptz,
    -- The trace of the request that placed it: what the clock does to it goes on in the same trace.
    traceparent text,
    check ((total is null) = (currency is null)),
    check (due_at is not null or status not in ('placed', 'reserved', 'confirmed')),
    check (payment_id is not null or status not in ('confirmed', 'shipped', 'delivered'))
) with (fillfactor = 70);

-- The clock of the process reads the earliest deadlines and nothing else.
create index orders_due on orders (due_at) where due_at is not null;

-- Lists go from the newest to the oldest; ids are ordered by time.
create index orders_of_customer on orders (customer_id, id);
create index orders_of_status on orders (status, id);

create table order_line (
    order_id uuid not null references orders (id),
    sku text not null,
    quantity integer not null check (quantity >= 1),
    -- As the catalogue had it when the order was placed; null where the SKU was not known yet.
    product_id uuid,
    unit_price bigint check (unit_price >= 0),
    currency text,
    title jsonb,
    primary key (order_id, sku),
    check ((unit_price is null) = (currency is null))
);

create table payment (
    id uuid primary key,
    order_id uuid not null references orders (id),
    -- refunded: it was approved when there was nothing more to pay for, or the order was cancelled after it.
    state text not null check (state in ('approved', 'declined', 'refunded')),
    -- What the provider calls it; null for the built-in test provider.
    reference text,
    -- In minor units; null where the order had no known total.
    amount bigint,
    currency text,
    made_at timestamptz not null,
    refunded_at timestamptz,
    check ((refunded_at is not null) = (state = 'refunded'))
);

create index payment_of_order on payment (order_id);

-- The parcel of an order: one at most.
create table shipment (
    id uuid primary key,
    order_id uuid not null unique references orders (id),
    carrier text not null,
    tracking_number text not null,
    shipped_at timestamptz not null,
    delivered_at timestamptz
);

-- What happened to an order, in every service. Whoever writes here holds the lock on the order's row, so that within an
-- order the positions are in the order of the commits: a reader that has seen one has seen all before it.
create table order_timeline (
    order_id uuid not null,
    position bigint generated always as identity,
    at timestamptz not null,
    service text not null,
    event text not null,
    -- What the order's status was after it.
    status text not null,
    detail jsonb not null,
    primary key (order_id, position)
);
