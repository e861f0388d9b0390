-- Which requests have been answered, by the key that their client gave them. It stands in the database of each service that
-- takes such keys, in a schema of its own, so that an answer commits together with what it tells of.
create table idempotency.request (
    -- Whose key it is, and for which operation: keys of two clients never meet.
    caller text not null,
    operation text not null,
    key text not null,
    -- SHA-256 of the request's body: the same key with another body is a mistake of the client.
    fingerprint bytea not null,
    -- The answer; null only within the transaction that gives it.
    status smallint,
    headers jsonb,
    body bytea,
    created_at timestamptz not null default now(),
    primary key (caller, operation, key)
);

create index request_age on idempotency.request (created_at);
