-- compatible-with: 20261130000021
-- Customers whose personal data must go: the list stays for ever, and is applied again after a restore.
create table customer_erasure (
    customer_id uuid primary key,
    -- The subject of a token.
    requested_by text not null,
    requested_at timestamptz not null
);

-- What each service has done for it.
create table customer_erasure_step (
    customer_id uuid not null,
    -- The service that stores something about customers.
    service text not null,
    -- Null until it has deleted everything.
    completed_at timestamptz,
    -- Of this service: orders of transactions before this one are visible once it is older than every running transaction.
    horizon xid8,
    primary key (customer_id, service)
);

create index customer_erasure_pending on customer_erasure_step (customer_id) where service = 'order' and completed_at is null;
