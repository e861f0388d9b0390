-- compatible-with: 20261129000031
-- Orders for an operator: this database went back to an earlier state and no longer has them, or has them in an earlier status than
-- their stock.
create table lost_order (
    -- No reference: most of these orders no longer exist.
    order_id uuid primary key,
    -- What inventory told last about its stock; null until it tells.
    stock text check (stock in ('reserved', 'rejected', 'released', 'deducted')),
    found_at timestamptz not null,
    changed_at timestamptz not null
);
