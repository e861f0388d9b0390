-- Bulk imports: taken in whole, then worked off in batches, each in one transaction that moves the cursor on.
create table import (
    id uuid primary key,
    state text not null default 'running' check (state in ('running', 'done', 'failed')),
    format text not null check (format in ('ndjson', 'csv')),
    -- The columns of a CSV file.
    header bytea,
    -- How many rows and chunks there are.
    received bigint not null,
    chunks integer not null,
    -- The first row that has not been worked off.
    next_chunk integer not null default 0,
    next_row integer not null default 0,
    created bigint not null default 0,
    updated bigint not null default 0,
    unchanged bigint not null default 0,
    refused bigint not null default 0,
    -- Why it failed as a whole.
    reason text,
    -- The trace of the request that brought it.
    traceparent text,
    received_at timestamptz not null,
    finished_at timestamptz
);

create index import_running on import (id) where state = 'running';

-- The rows of an import as they came, a megabyte or so at a time; deleted once worked off. They are written while the body
-- still arrives, before there is an import: what belongs to none after an hour was never finished.
create table import_chunk (
    import_id uuid not null,
    number integer not null,
    -- Where each row begins in the body, counted from 1.
    lines bigint[] not null,
    rows bytea[] not null,
    received_at timestamptz not null default now(),
    primary key (import_id, number)
);

-- It is read once and deleted: compressing it costs more than it saves.
alter table import_chunk alter column rows set storage external;

-- The first rows that were refused.
create table import_refusal (
    import_id uuid not null references import on delete cascade,
    line bigint not null,
    reason text not null,
    primary key (import_id, line)
);
