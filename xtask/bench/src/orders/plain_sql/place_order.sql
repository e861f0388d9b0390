\set number :number + 1
\set sku random(1, 500)
begin;
insert into orders (id, customer_id, status, method, total, currency, shipping_address, placed_at, changed_at, due_at)
values (order_id(:client_id, :number), gen_random_uuid(), 'placed', 'test', 1000, 'CNY', '{"name": "Bench", "line1": "Street 1", "city": "Hangzhou", "country": "CN"}', now(), now(), now() + interval '10 minutes');
insert into order_line (order_id, sku, quantity, product_id, unit_price, currency, title)
values (order_id(:client_id, :number), 'BENCH-' || cast(:sku as integer), 1, gen_random_uuid(), 1000, 'CNY', '{"zh": "bench"}');
insert into order_timeline (order_id, at, service, event, status, detail)
values (order_id(:client_id, :number), now(), 'order', 'placed', 'placed', '{}');
insert into sequence (aggregate, key, last)
values ('order', cast(order_id(:client_id, :number) as text), 1);
insert into outbox (event_id, kind, aggregate, key, slot, seq, time, data)
values (gen_random_uuid(), 'order.placed.v1', 'order', cast(order_id(:client_id, :number) as text), 7, 1, now(), '{"order_id": "01920000-0000-7000-8000-000000000001", "customer_id": "01920000-0000-7000-8000-000000000003", "lines": [{"sku": "BENCH-1", "product_id": "01920000-0000-7000-8000-000000000002", "quantity": 1}], "placed_at": "2026-11-22T080000.123456789Z"}');
commit;
