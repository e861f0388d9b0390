\set number :number + 1
begin;
select on_hand - reserved as available from stock where sku = 'BENCH-FLASH' for update \gset
\if :available > 0
update stock set reserved = reserved + 1 where sku = 'BENCH-FLASH';
insert into orders (id, customer_id, status, method, total, currency, shipping_address, placed_at, changed_at)
values (order_id(:client_id, :number), gen_random_uuid(), 'confirmed', 'test', 1000, 'CNY', '{"name": "Bench", "line1": "Street 1", "city": "Hangzhou", "country": "CN"}', now(), now());
\else
insert into orders (id, customer_id, status, method, total, currency, shipping_address, placed_at, changed_at)
values (order_id(:client_id, :number), gen_random_uuid(), 'rejected', 'test', 1000, 'CNY', '{"name": "Bench", "line1": "Street 1", "city": "Hangzhou", "country": "CN"}', now(), now());
\endif
insert into order_line (order_id, sku, quantity, product_id, unit_price, currency, title)
values (order_id(:client_id, :number), 'BENCH-FLASH', 1, gen_random_uuid(), 1000, 'CNY', '{"zh": "bench"}');
commit;
