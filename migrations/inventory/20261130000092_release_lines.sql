-- compatible-with: 20261129000002
-- The cancellations of single lines whose pieces were released, each once.
create table released_line (
    cancellation_id uuid primary key,
    order_id uuid not null,
    released_at timestamptz not null
);
