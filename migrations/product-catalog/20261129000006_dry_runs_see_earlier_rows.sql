-- What earlier rows of a dry run would have written, so that later rows see it. Deleted with the end of the dry run.
create table import_overlay (
    import_id uuid not null references import on delete cascade,
    product_id uuid not null,
    version bigint not null,
    document json not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- Whether the dry run would create the product.
    is_new boolean not null,
    primary key (import_id, product_id)
);

create table import_overlay_sku (
    import_id uuid not null references import on delete cascade,
    sku text collate "C" not null,
    -- Null if the SKU would be free.
    product_id uuid,
    primary key (import_id, sku)
);
