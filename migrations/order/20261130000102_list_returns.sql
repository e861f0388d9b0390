-- compatible-with: 20261129000031
-- Warehouses list the returns that are announced, oldest first.
create index order_return_by_state on order_return (state, id);
