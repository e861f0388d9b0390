-- The order service's own copy of the catalogue: what can be bought, at which price. Full state under a version guard.

create table product (
    product_id uuid primary key,
    version bigint not null check (version >= 1)
);

-- A SKU may move from one product to another, and the two products' events come in any order: so each product has rows of
-- its own, and a SKU can be bought if any product offers it.
create table offer (
    product_id uuid not null references product (product_id),
    sku text not null,
    -- The price of one piece in minor units.
    amount bigint not null check (amount >= 0),
    currency text not null,
    title jsonb not null,
    -- Whether it can be ordered: the product is active and still lists the SKU.
    for_sale boolean not null,
    primary key (product_id, sku)
) with (fillfactor = 90);

create index offer_by_sku on offer (sku);
