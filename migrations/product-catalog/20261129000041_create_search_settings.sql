-- What the shop edits about its search; search-sync applies it. The seed of the list follows in its own file.

-- The list of synonyms, as a whole: one row.
create table synonym_list (
    only_row boolean primary key default true check (only_row),
    version bigint not null check (version >= 1),
    entries json not null,
    -- Whether its event was emitted: the first version is inserted by a migration, which cannot emit.
    published boolean not null,
    updated_at timestamptz not null
);

-- Merchandising rules. A removed rule keeps its row, so that a snapshot contains its removal.
create table rule (
    id uuid primary key,
    version bigint not null check (version >= 1),
    -- Action, scope, products and times.
    document json not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    removed_at timestamptz
);
