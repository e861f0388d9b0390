-- Writes, to be followed until every service has applied them.
create table change (
    id uuid primary key,
    product_id uuid not null,
    version bigint not null,
    made_at timestamptz not null,
    import_id uuid
);

create index change_import on change (import_id, product_id, version) where import_id is not null;

-- What the services that follow products said of them. A receipt settles every change up to its version, so the state of a
-- change is read off from here and written nowhere.
create table receipt (
    product_id uuid not null,
    service text collate "C" not null,
    version bigint not null,
    -- When it took effect, or failed.
    at timestamptz not null,
    -- Why it did not take effect; null if it did.
    failure text,
    primary key (product_id, service, version)
);
