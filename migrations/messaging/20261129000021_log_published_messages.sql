-- The messages that the broker has confirmed, for a bounded time. They can be published again when a broker or a
-- subscriber has lost data.
--
-- Eight segments form a ring: new messages go to the open one, and a segment is emptied as a whole. So the log needs no
-- vacuum, and no table is created or dropped at run time.
create sequence messaging.message_id;

create table messaging.message (
    segment smallint not null,
    id bigint not null default nextval('messaging.message_id'),
    aggregate text not null,
    slot smallint not null,
    -- The number of events in the body.
    events integer not null,
    published_at timestamptz not null default clock_timestamp(),
    -- What was published: a JSON array of events.
    body bytea not null
) partition by list (segment);

create index message_order on messaging.message (id);

-- Finds the first message after a time.
create index message_time on messaging.message using brin (published_at) with (autosummarize = on);

create table messaging.message_0 partition of messaging.message for values in (0);
create table messaging.message_1 partition of messaging.message for values in (1);
create table messaging.message_2 partition of messaging.message for values in (2);
create table messaging.message_3 partition of messaging.message for values in (3);
create table messaging.message_4 partition of messaging.message for values in (4);
create table messaging.message_5 partition of messaging.message for values in (5);
create table messaging.message_6 partition of messaging.message for values in (6);
create table messaging.message_7 partition of messaging.message for values in (7);

-- Events compress well, and lz4 takes a tenth of the time of the default. PostgreSQL may be built without it.
do $$
begin
    for segment in 0..7 loop
        execute format('alter table messaging.message_%s alter column body set compression lz4', segment);
    end loop;
exception
    when feature_not_supported then null;
end
$$;

-- The segments in use. The one with the highest number is open.
create table messaging.message_segment (
    segment smallint primary key check (segment between 0 and 7),
    number bigint not null unique,
    opened_at timestamptz not null default now()
);

insert into messaging.message_segment (segment, number) values (0, 0);
