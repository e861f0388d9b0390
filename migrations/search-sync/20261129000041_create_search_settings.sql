-- Synonyms and rules of product-catalog, as this service applies them.

-- The number of the last change: one row. Its lock is held until the commit, so numbers become visible in order.
create table search_setting_revision (
    only_row boolean primary key default true check (only_row),
    last bigint not null default 0
) with (fillfactor = 50);

insert into search_setting_revision default values;

-- Every version of a setting that a search may still need. A replaced version is kept for up to an hour: a shopper who
-- pages through results keeps the rules of the first page.
create table search_setting (
    -- The key of the events: `synonyms`, or the id of a rule.
    key text not null,
    version bigint not null check (version >= 1),
    -- Null for a removed rule: the row stays, so that a late change is recognised as older.
    body json,
    -- The revision that made this version current, and the one that replaced it; null while it is current.
    since bigint not null,
    until bigint,
    replaced_at timestamptz,
    primary key (key, version)
);

create unique index search_setting_current on search_setting (key) where until is null;
create index search_setting_replaced on search_setting (replaced_at) where replaced_at is not null;
