-- compatible-with: 20261129000031
-- The rules that decide what orders cost. By default there are none.

-- Promotions, shipping rates and tax rates. They are only read and written whole.
create table cost_rule (
    id uuid primary key,
    kind text not null check (kind in ('promotion', 'shipping_rate', 'tax_rate')),
    rule jsonb not null,
    created_at timestamptz not null,
    changed_at timestamptz not null
);

-- One row, whose value changes with every change of a rule: a process that knows it knows the rules.
create table cost_rule_revision (
    is_only boolean primary key default true check (is_only),
    revision uuid not null
);
insert into cost_rule_revision (revision) values (gen_random_uuid());

create table coupon (
    code text primary key,
    promotion_id uuid not null references cost_rule (id) on delete cascade
);
create index coupon_of_promotion on coupon (promotion_id);

-- How many orders use a promotion; counted while its uses are bounded. Its row is locked by a transaction that places such orders.
create table promotion_counter (
    promotion_id uuid primary key references cost_rule (id) on delete cascade,
    uses bigint not null default 0 check (uses >= 0)
) with (fillfactor = 70);

-- The orders that are counted. An order that ends early is not counted any more.
create table promotion_use (
    promotion_id uuid not null,
    order_id uuid not null,
    customer_id uuid not null,
    used_at timestamptz not null,
    primary key (promotion_id, order_id)
);
create index promotion_use_of_customer on promotion_use (promotion_id, customer_id);

-- What an order costs beside its goods; null if it costs its goods.
alter table orders add column costs jsonb;
