-- compatible-with: 20261129000031
-- Refunds of a part of a payment. The payment stays approved.
create table order_refund (
    -- The id of the return that it pays back, so that a return is paid back once.
    id uuid primary key,
    order_id uuid not null,
    payment_id uuid not null,
    -- In minor units.
    amount bigint not null check (amount > 0),
    currency text not null,
    -- pending: the payment provider has not made it yet.
    state text not null check (state in ('pending', 'refunded')),
    requested_at timestamptz not null,
    refunded_at timestamptz,
    check ((state = 'refunded') = (refunded_at is not null))
);

create index order_refund_of_order on order_refund (order_id);

-- The ledger of money tells which part was paid back. Null for whole payments.
alter table order_money add column refund_id uuid;

create function record_part_refund_made() returns trigger language plpgsql as $$
begin
    insert into order_money (order_id, at, kind, payment_id, amount, currency, refund_id)
    select order_id, refunded_at, 'refunded', payment_id, -amount, currency, id from made where state = 'refunded';
    return null;
end
$$;

create function record_part_refund_changed() returns trigger language plpgsql as $$
begin
    insert into order_money (order_id, at, kind, payment_id, amount, currency, refund_id)
    select later.order_id, later.refunded_at, 'refunded', later.payment_id, -later.amount, later.currency, later.id
    from changed later
    join former using (id)
    where later.state = 'refunded' and former.state <> 'refunded';
    return null;
end
$$;

create trigger record_money after insert on order_refund
    referencing new table as made
    for each statement execute function record_part_refund_made();

create trigger record_refund after update on order_refund
    referencing old table as former new table as changed
    for each statement execute function record_part_refund_changed();

-- A payment is refunded in several parts, so a request to the provider has an id of its own: that of the part, or that of the payment.
alter table provider_request add column refund_id uuid;
alter table provider_request add column id uuid not null generated always as (coalesce(refund_id, payment_id)) stored;
alter table provider_request drop constraint provider_request_pkey;
alter table provider_request add primary key (id, operation);
-- Finds the capture that a refund waits for.
create index provider_request_of_payment on provider_request (payment_id);
drop index provider_request_once;
create unique index provider_request_once on provider_request (order_id, reference, operation) where refund_id is null;
drop index provider_request_failed;
create index provider_request_failed on provider_request (id) where state = 'failed';
