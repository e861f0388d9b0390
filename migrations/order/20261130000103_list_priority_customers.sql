-- compatible-with: 20261129000031
-- Customers whose orders overtake others under a backlog. An operator lists them.
create table priority_customer (
    customer_id uuid primary key,
    -- The subject of the token.
    added_by text not null,
    added_at timestamptz not null
);

-- One row, which every change of the list raises. Processes have the list in memory.
create table priority_customer_revision (
    is_only boolean primary key default true check (is_only),
    revision bigint not null
);

insert into priority_customer_revision (revision) values (1);
