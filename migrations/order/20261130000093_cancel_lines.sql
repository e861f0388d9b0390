-- compatible-with: 20261129000031
-- Pieces of lines that were cancelled before the order was shipped. The quantity of a line stays what the customer ordered.
alter table order_line add column cancelled integer not null default 0;
alter table order_line add constraint order_line_cancelled_check
    check (cancelled >= 0 and cancelled + returned <= quantity) not valid;
alter table order_line validate constraint order_line_cancelled_check;

-- Each cancellation, with the id of its refund. Transactions that write it have locked its order.
create table line_cancellation (
    id uuid primary key,
    order_id uuid not null,
    sku text not null,
    quantity integer not null check (quantity >= 1),
    cancelled_at timestamptz not null
);

create index line_cancellation_of_order on line_cancellation (order_id);

-- An order of which pieces were cancelled may be cancelled as a whole. Then the payment is refunded without the parts that are refunded
-- for themselves.
create or replace function record_refund_money() returns trigger language plpgsql as $$
begin
    insert into order_money (order_id, at, kind, payment_id, amount, currency)
    select later.order_id, later.refunded_at, 'refunded', later.id,
        coalesce((select sum(r.amount) from order_refund r where r.payment_id = later.id), 0) - later.amount, later.currency
    from changed later
    join former using (id)
    where later.state = 'refunded' and former.state <> 'refunded' and later.amount is not null;
    return null;
end
$$;
