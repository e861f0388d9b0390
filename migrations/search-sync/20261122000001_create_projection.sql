-- The projection that the search index is fed from: what this service was told of products, stock and popularity.
--
-- The index is a set of files beside each process and cannot commit together with this database. So each change of a
-- document gets a number, and every process reads the documents behind the number that its own index has.

-- The last number that was given out: one row. Whoever changes documents locks it first and holds it until the commit, so
-- numbers become visible in their order, and a reader who has seen one has seen all below it. Numbers may be left out.
-- `source` tells this database from any other: an index that was made from another one is of no use here.
create table index_change (
    only_row boolean primary key default true check (only_row),
    source uuid not null default gen_random_uuid(),
    last bigint not null default 0
) with (fillfactor = 50);

insert into index_change default values;

-- A product in its newest version, as the index needs it. Rows are never deleted: a deleted product stays as a tombstone,
-- so that a late change can be told from a new product.
create table document (
    product_id uuid primary key,
    version bigint not null check (version >= 1),
    state text not null check (state in ('draft', 'active', 'archived', 'deleted')),
    -- The texts, attributes and variants; null for a deleted product. Text that happens to be JSON: it is read as a whole,
    -- and may hold what jsonb cannot.
    body json,
    -- Whether any of its variants can be had.
    in_stock boolean not null,
    -- As the index has it; product_popularity may be a little ahead.
    popularity double precision not null,
    -- The number of its last change.
    change bigint not null,
    constraint document_change_key unique (change),
    constraint document_body_unless_deleted check ((state = 'deleted') = (body is null))
) with (fillfactor = 80);

-- Which products list which SKUs.
create table document_sku (
    product_id uuid not null,
    sku text not null,
    primary key (product_id, sku)
);

create index document_sku_by_sku on document_sku (sku);

-- The level of a SKU, which may be heard of before any product that lists it.
create table sku_stock (
    sku text primary key,
    available bigint not null,
    version bigint not null
) with (fillfactor = 80);

-- How much a product is sought after, which may be heard of before the product.
create table product_popularity (
    product_id uuid primary key,
    score double precision not null,
    version bigint not null
) with (fillfactor = 80);

-- Versions that were heard of and are not yet said to be searchable. A row goes in the transaction that says so.
create table receipt_due (
    product_id uuid not null,
    version bigint not null,
    -- The trace of the event, so that the receipt belongs to it.
    traceparent text,
    primary key (product_id, version)
);
