-- compatible-with: 20261129000031
-- Orders have a number for people. It follows from the id, so that nothing has to be drawn when an order is placed, earlier orders
-- have one, and a database that goes back to an earlier state gives none out twice. The program computes it in the same way
-- (domain/order_number.rs) and adds a check digit.
create function order_number(id uuid) returns bigint
    language sql immutable strict parallel safe
    return (
        (
            -- Both halves: one has the time, the other random bits.
            ('x' || encode(substr(uuid_send(id), 1, 8), 'hex'))::bit(64)::bigint
            # ('x' || encode(substr(uuid_send(id), 9, 8), 'hex'))::bit(64)::bigint
        ) & 9223372036854775807
    ) % 100000000000000;

-- Finds an order by its number, and makes it unique: an order whose number is taken gets another id.
create unique index orders_by_number on orders (order_number(id));

-- Lists of a SKU go from the newest to the oldest order.
create index order_line_by_sku on order_line (sku, order_id);
