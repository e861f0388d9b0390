-- compatible-with: 20261129000031
-- The ledger of money per order: what came in and what went out. Rows are only appended.
create table order_money (
    order_id uuid not null,
    position bigint generated always as identity,
    at timestamptz not null,
    -- captured: a payment was approved. refunded: it was paid back. unmatched: a payment of another amount than the total, which
    -- settles nothing.
    kind text not null check (kind in ('captured', 'refunded', 'unmatched')),
    payment_id uuid not null,
    -- In minor units; negative for what was paid back.
    amount bigint not null,
    currency text not null,
    primary key (order_id, position),
    check ((amount <= 0) = (kind = 'refunded') or amount = 0)
);

-- The state of a payment and the ledger move together, whatever program changes the state: also one of the release before.
create function record_payment_money() returns trigger language plpgsql as $$
begin
    insert into order_money (order_id, at, kind, payment_id, amount, currency)
    select order_id, made_at, case state when 'mismatched' then 'unmatched' else 'captured' end, id, amount, currency
    from made
    where state in ('approved', 'mismatched') and amount is not null;
    return null;
end
$$;

create function record_refund_money() returns trigger language plpgsql as $$
begin
    insert into order_money (order_id, at, kind, payment_id, amount, currency)
    select later.order_id, later.refunded_at, 'refunded', later.id, -later.amount, later.currency
    from changed later
    join former using (id)
    where later.state = 'refunded' and former.state <> 'refunded' and later.amount is not null;
    return null;
end
$$;

create trigger record_money after insert on payment
    referencing new table as made
    for each statement execute function record_payment_money();

create trigger record_refund after update on payment
    referencing old table as former new table as changed
    for each statement execute function record_refund_money();

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are only appended', tg_table_name;
end
$$;

create trigger append_only before update or delete or truncate on order_money
    for each statement execute function refuse_change();

-- The payments so far.
insert into order_money (order_id, at, kind, payment_id, amount, currency)
select order_id, made_at, case state when 'mismatched' then 'unmatched' else 'captured' end, id, amount, currency
from payment
where state in ('approved', 'refunded', 'mismatched') and amount is not null
order by made_at;

insert into order_money (order_id, at, kind, payment_id, amount, currency)
select order_id, refunded_at, 'refunded', id, -amount, currency
from payment
where state = 'refunded' and amount is not null
order by refunded_at;
