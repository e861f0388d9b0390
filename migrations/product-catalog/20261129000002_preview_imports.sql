-- Dry runs, and the rows that were refused as they were sent.
alter table import add column dry_run boolean not null default false;

-- What a dry run would do to the first products.
create table import_preview (
    import_id uuid not null references import on delete cascade,
    number bigint generated always as identity,
    -- The line on which the row begins.
    line bigint not null,
    -- Null for a new product.
    product_id uuid,
    -- The fields that would change.
    changes json not null,
    primary key (import_id, number)
);

-- The stored form of the row; null before this version.
alter table import_refusal add column source bytea;
