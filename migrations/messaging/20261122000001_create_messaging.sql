-- The messaging kit's own tables. They stand in every service's database, in a schema of their own (made by the
-- migrator), so that an event and the change that it tells of commit together.

-- The number that the last event of a key got. The row lock makes commit order equal to sequence order.
create table messaging.sequence (
    aggregate text not null,
    key text not null,
    last bigint not null check (last >= 1),
    primary key (aggregate, key)
) with (fillfactor = 80);

-- Events that are committed but not yet confirmed by the broker. Rows are deleted when they are confirmed, never marked,
-- so the table stays as small as what is in flight.
create table messaging.outbox (
    id bigint generated always as identity primary key,
    event_id uuid not null,
    kind text not null,
    aggregate text not null,
    key text not null,
    slot smallint not null,
    seq bigint not null,
    time timestamptz not null,
    traceparent text,
    data text not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Who does what only one process may do at a time. The epoch counts the changes of hand: what an earlier holder still
-- wants to do is told from it.
create table messaging.lease (
    name text primary key,
    holder uuid not null,
    epoch bigint not null,
    expires_at timestamptz not null
);

-- How far each consumer has come with each key: duplicates are known by it, however late they come.
create table messaging.cursor (
    consumer text not null,
    source text not null,
    aggregate text not null,
    key text not null,
    last bigint not null,
    -- free: the next event may take effect; parked: events of this key wait in messaging.parked;
    -- blocked: a dead letter must be dealt with first.
    hold text not null default 'free' check (hold in ('free', 'parked', 'blocked')),
    primary key (consumer, source, aggregate, key)
) with (fillfactor = 80);

-- Events that wait: for a retry, for a predecessor that has not come, or behind another event of their key.
create table messaging.parked (
    consumer text not null,
    source text not null,
    aggregate text not null,
    key text not null,
    seq bigint not null,
    slot smallint not null,
    why text not null check (why in ('retry', 'gap', 'behind')),
    attempts integer not null,
    -- How often it has been handed to its handler, counted before: a process that dies over it is found out by this.
    starts integer not null default 0,
    -- When to look again: only the first of a key has it, and none of a blocked key.
    next_at timestamptz,
    causes text[] not null,
    envelope text not null,
    parked_at timestamptz not null default now(),
    primary key (consumer, source, aggregate, key, seq)
);

create index parked_due on messaging.parked (consumer, next_at) where next_at is not null;

-- What could not be handled, with all that is needed to understand it and to send it again.
create table messaging.dead_letter (
    id uuid primary key,
    consumer text not null,
    -- These five are null where the message could not be read as events.
    source text,
    aggregate text,
    key text,
    seq bigint,
    event_id uuid,
    kind text,
    exchange text,
    routing_key text,
    -- A stable code, such as undecodable or retries_exhausted.
    reason text not null,
    -- The errors, outermost first; of retried events one for every attempt.
    causes text[] not null,
    attempts integer not null,
    traceparent text,
    -- The envelope as it came, or the whole body where it is none.
    payload bytea not null,
    -- Whether later events of the key wait until this one is dealt with.
    blocks boolean not null,
    -- Whether the cursor has gone past it. It has not where a predecessor is missing.
    passed boolean not null,
    state text not null default 'pending' check (state in ('pending', 'redriven', 'discarded')),
    died_at timestamptz not null default now(),
    resolved_at timestamptz
);

create index dead_letter_pending on messaging.dead_letter (consumer, died_at) where state = 'pending';

-- An event is one dead letter at a time, however often it comes.
create unique index dead_letter_event on messaging.dead_letter (consumer, source, aggregate, key, seq)
    where state = 'pending' and seq is not null;

-- How far a reader has come in a stream.
create table messaging.stream_offset (
    consumer text not null,
    stream text not null,
    next_offset bigint not null,
    primary key (consumer, stream)
);
