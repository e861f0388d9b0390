-- Files of other programs: how their rows are read, and what was not applied.
alter table import
    -- Encoding, delimiter, preset, mapping and the like; null for NDJSON, and for files that the old program received.
    add column layout json,
    -- The number of warnings.
    add column warned bigint not null default 0;

-- A queued import is a file that has not finished. The old program cannot read its rows, and takes running imports only.
alter table import
    drop constraint import_state_check,
    add constraint import_state_check check (state in ('queued', 'running', 'done', 'failed'));

create index import_queued on import (id) where state = 'queued';

-- The first warnings of an import: parts of rows that were not applied, although their product was.
create table import_warning (
    import_id uuid not null references import on delete cascade,
    number bigint generated always as identity,
    -- The line on which the row begins; 1 for the whole file.
    line bigint not null,
    message text not null,
    primary key (import_id, number)
);
