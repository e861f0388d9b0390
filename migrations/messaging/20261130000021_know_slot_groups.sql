-- compatible-with: 20261130000011
-- The number of slot groups of an aggregate is a setting. Its replicas tell each other what they use, and remember what was used:
-- queues of a former setting may still have messages.
create table messaging.slot_groups (
    aggregate text not null,
    groups smallint not null check (groups in (1, 2, 4, 8, 16)),
    -- When a replica with this setting has last begun to consume.
    used_at timestamptz not null default now(),
    primary key (aggregate, groups)
);
