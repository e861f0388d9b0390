-- compatible-with: 20261129000031
-- Refunds that a payment provider must make: at least once, with the payment as the idempotency key.
alter table payment drop constraint payment_state_check;
alter table payment add constraint payment_state_check
    check (state in ('approved', 'declined', 'refund_pending', 'refunded', 'mismatched')) not valid;
alter table payment validate constraint payment_state_check;

create table refund (
    payment_id uuid primary key,
    order_id uuid not null,
    -- What the provider calls the payment.
    reference text not null,
    amount bigint not null,
    currency text not null,
    state text not null check (state in ('pending', 'done', 'failed')),
    requested_at timestamptz not null,
    -- Since it was requested, or requested again.
    started_at timestamptz not null,
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    -- The process that is asking the provider. Another one may ask after the claim has expired.
    claim uuid,
    claimed_until timestamptz,
    -- What the provider calls the refund.
    refund_reference text,
    -- Why the last attempt failed.
    error text,
    finished_at timestamptz,
    check ((state = 'pending') = (finished_at is null))
) with (fillfactor = 70);

create index refund_due on refund (next_attempt_at) where state = 'pending';
create index refund_failed on refund (payment_id) where state = 'failed';
