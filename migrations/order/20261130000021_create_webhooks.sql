-- compatible-with: 20261130000001
-- Webhooks that this service sends: who receives which events, what is sent, and with which result.

create table webhook_endpoint (
    id uuid primary key,
    url text not null,
    description text not null,
    -- What it receives; never empty.
    event_types text[] not null check (cardinality(event_types) > 0),
    -- The key of the signatures. The previous one signs beside it until it expires.
    signing_key bytea not null,
    previous_key bytea,
    previous_key_expires_at timestamptz,
    status text not null default 'active' check (status in ('active', 'paused', 'disabled')),
    -- Why it is disabled.
    disabled_reason text,
    -- When the next attempt is made although it is paused.
    next_probe_at timestamptz,
    -- Failed attempts since the last success, and the time of the first of them.
    failures integer not null default 0,
    failing_since timestamptz,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    check ((status = 'paused') = (next_probe_at is not null)),
    check ((status = 'disabled') = (disabled_reason is not null)),
    check ((previous_key is null) = (previous_key_expires_at is null))
);

-- The same bytes are sent to every endpoint, in every attempt.
create table webhook_message (
    id uuid primary key,
    event_type text not null,
    body bytea not null,
    occurred_at timestamptz not null,
    created_at timestamptz not null
);

create index webhook_message_age on webhook_message (created_at);

-- A message to one endpoint. Its endpoint may be deleted; then nothing reads it any more, until its age deletes it.
create table webhook_delivery (
    endpoint_id uuid not null,
    message_id uuid not null,
    -- Increases within a key: the transactions that write the messages of one key follow each other.
    position bigint generated always as identity,
    key text not null,
    status text not null check (status in ('pending', 'delivered', 'failed', 'discarded')),
    -- Whether it waits for earlier messages of its key, and later ones for it. A redelivery does not.
    in_order boolean not null,
    -- When it was written, or requested again.
    started_at timestamptz not null,
    -- Attempts since then.
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    -- The process that is sending it. Another one may send it after the claim has expired.
    claim uuid,
    claimed_until timestamptz,
    finished_at timestamptz,
    -- The last attempts, oldest first.
    history jsonb not null default '[]',
    primary key (endpoint_id, message_id),
    check ((status = 'pending') = (finished_at is null))
) with (fillfactor = 70);

-- What is due.
create index webhook_delivery_due on webhook_delivery (endpoint_id, next_attempt_at) where status = 'pending';

-- What must be delivered first.
create index webhook_delivery_order on webhook_delivery (endpoint_id, key, position) where status = 'pending' and in_order;

-- The log, newest first.
create unique index webhook_delivery_log on webhook_delivery (endpoint_id, position);

create index webhook_delivery_age on webhook_delivery (started_at);
