-- compatible-with: 20261129000002
-- Pieces that came back from customers. What cannot be sold any more is written off in the same transaction: two movements, so that the
-- ledger tells how many pieces came.
alter table ledger drop constraint ledger_kind_check;
alter table ledger add constraint ledger_kind_check
    check (kind in ('set', 'adjusted', 'reserved', 'released', 'deducted', 'returned', 'written_off')) not valid;
alter table ledger validate constraint ledger_kind_check;

-- The returns that were received, each once, even if the order service lost its memory and a warehouse reported one again.
create table received_return (
    return_id uuid primary key,
    order_id uuid not null,
    received_at timestamptz not null
);
