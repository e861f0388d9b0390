-- User events, what the recommender knows of orders and products, and what was said of popularity.

-- Who writes into a table that is tailed by number takes the table's row here first, and keeps it until the commit. So
-- the numbers commit in the order in which they were given out, and a tail skips none. 'erasure' is taken in share mode by
-- whoever writes down what visitors did: what is written either is there when a visitor is erased, or knows of the erasure.
create table turn (
    name text primary key check (name in ('basket', 'product', 'erasure'))
);

insert into turn (name) values ('basket'), ('product'), ('erasure');

-- Every user event, once. Only the reader of the stream writes here, one process at a time, so the numbers commit in order.
create table user_event (
    -- Given by the client: what makes the same event sent twice count once.
    event_id uuid primary key,
    no bigint generated always as identity,
    kind text not null,
    visitor_id text not null,
    session_id text not null,
    product_id uuid,
    occurred_at timestamptz not null,
    -- When the door took it in: it rises with the number, but for seconds.
    received_at timestamptz not null,
    properties jsonb,
    constraint user_event_no_key unique (no)
);

create index user_event_visitor on user_event (visitor_id);

-- What became of what stood in the stream, by the day on which the door took it in. Each event is received, and then one
-- of stored, duplicate and dropped.
create table intake_count (
    day date primary key,
    received bigint not null,
    stored bigint not null,
    duplicates bigint not null,
    -- Of visitors who were erased.
    dropped bigint not null,
    -- Of the stored ones, those that are gone because they grew old.
    expired bigint not null default 0,
    constraint intake_count_adds_up check (received = stored + duplicates + dropped)
) with (fillfactor = 50);

-- Visitors who were erased: nothing of theirs is stored again.
create table erasure (
    visitor_id text primary key,
    no bigint generated always as identity,
    -- How many stored events went.
    events bigint not null,
    erased_at timestamptz not null,
    constraint erasure_no_key unique (no)
);

-- What was bought together: the products of a paid order.
create table basket (
    order_id uuid primary key,
    no bigint generated always as identity,
    customer_id uuid not null,
    products uuid[] not null,
    bought_at timestamptz not null,
    constraint basket_no_key unique (no)
);

create index basket_customer on basket (customer_id);

create sequence product_change;

-- What the recommender has to know of the catalogue: a projection under a version guard.
create table product (
    product_id uuid primary key,
    version bigint not null check (version >= 1),
    category text not null,
    status text not null check (status in ('draft', 'active', 'archived')),
    deleted boolean not null,
    skus text[] not null,
    in_stock boolean not null,
    -- The number of the last change that matters to the recommender.
    change bigint not null default nextval('product_change'),
    constraint product_change_key unique (change)
);

alter sequence product_change owned by product.change;

-- Which products have a SKU, when its stock changes.
create index product_skus on product using gin (skus);

-- How many pieces of a SKU are free to be ordered. It may be heard of before its product.
create table sku_stock (
    sku text primary key,
    version bigint not null check (version >= 1),
    available bigint not null
) with (fillfactor = 80);

-- What was said last of a product's popularity.
create table popularity (
    product_id uuid primary key,
    version bigint not null check (version >= 1),
    score double precision not null check (score >= 0),
    changed_at timestamptz not null
) with (fillfactor = 80);
