-- compatible-with: 20261130000001
-- Messages have positions, so that a subscriber notices when one is missing, and asks for it.

-- The last position of each aggregate and slot. Positions are dense: every one is in the log until it is deleted there.
create table messaging.slot_position (
    aggregate text not null,
    slot smallint not null,
    last bigint not null,
    primary key (aggregate, slot)
) with (fillfactor = 50);

-- Messages of an earlier version have no position.
alter table messaging.message add column position bigint;
create index message_position on messaging.message (aggregate, slot, position);

-- The history of the positions. A new one begins when the database turns out to have gone back to an earlier state.
create table messaging.history (
    began_at timestamptz not null default clock_timestamp()
);
create unique index only_one_history on messaging.history ((true));
insert into messaging.history default values;

-- What has arrived from each publisher's slot: all positions up to `received` in this history, except the missing ones.
create table messaging.received_position (
    consumer text not null,
    publisher text not null,
    slot smallint not null,
    -- When the history began, in microseconds of Unix time.
    history bigint not null,
    -- The first position that arrived. Earlier ones are asked for, but their loss is no loss of this consumer.
    began bigint not null,
    received bigint not null,
    -- Ranges of missing positions: first and last of each.
    missing_first bigint[] not null default '{}',
    missing_last bigint[] not null default '{}',
    primary key (consumer, publisher, slot)
) with (fillfactor = 50);
