-- Products as they are now. A deleted product keeps its row: its id and its version are never given out again.
create table product (
    id uuid primary key,
    version bigint not null check (version >= 1),
    status text not null check (status in ('draft', 'active', 'archived')),
    -- Bytewise order, so that everything below a category is one range of the index.
    category text collate "C" not null,
    brand text,
    -- All that was written, in one canonical form. The type is json and not jsonb, for jsonb writes numbers anew: whether a
    -- write changes anything is told from the text.
    document json not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz
);

create index product_category on product (category, id) where deleted_at is null;
create index product_brand on product (brand, id) where deleted_at is null;
create index product_updated_at on product (updated_at) where deleted_at is null;

-- Which product has a SKU; it belongs to one at a time. Prices and the rest of a variant stand in the product's document.
create table variant (
    sku text collate "C" primary key,
    product_id uuid not null references product
);

create index variant_product on variant (product_id);
