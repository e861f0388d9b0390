-- Events that operators declared lost: the later events of their keys continued without them.
create table messaging.lost_event (
    consumer text not null,
    source text not null,
    aggregate text not null,
    key text not null,
    -- The numbers from the first to the last were missing.
    first bigint not null,
    last bigint not null,
    reason text not null,
    -- The subject of the operator's token, if one is known.
    declared_by text,
    declared_at timestamptz not null default now(),
    -- The numbers that arrived after all. They took no effect.
    arrived bigint[] not null default '{}',
    primary key (consumer, source, aggregate, key, first),
    check (first <= last)
);

create index lost_event_declared on messaging.lost_event (declared_at);
