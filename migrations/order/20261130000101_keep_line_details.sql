-- compatible-with: 20261129000031
-- What distinguishes a variant, and a picture of its product. The copy of the catalogue has them from the next change of a product on, or
-- after a replay; older orders have none. A program of an earlier release leaves them as they are.
alter table offer add column options jsonb not null default '{}';
alter table offer add column image text;

-- As they were when the order was placed. Null if the order has none.
alter table order_line add column options jsonb;
alter table order_line add column image text;
