-- Which callbacks of providers have taken effect: one that comes again is answered the same and does nothing.
create table webhook_event (
    -- Which webhook: payments or shipments. Their senders do not know each other's ids.
    webhook text not null,
    event_id text not null,
    -- What was answered; null only within the transaction that answers.
    answer jsonb,
    received_at timestamptz not null default now(),
    primary key (webhook, event_id)
);

create index webhook_event_age on webhook_event (received_at);
