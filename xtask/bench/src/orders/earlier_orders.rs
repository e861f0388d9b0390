//! Delivered orders of earlier months, with everything that each service stores about them.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgPool};
use suite::output;

use super::shop::{Databases, PRODUCTS, STOCK, VARIANTS};
use crate::{error::Error, statistics::as_figure};

/// What an order takes on the disk at most, in all databases, with indexes and the write-ahead log.
pub(super) const BYTES_PER_ORDER: u64 = 6_000;

/// The orders of a statement.
const CHUNK: u64 = 100_000;

/// The id of an order is that of a UUID of version 7: one every ten seconds since the beginning of 2026.
const ORDER_ID: &str = "create function bench_order_id(number bigint) returns uuid language sql immutable parallel safe as $$
    select (
        lpad(to_hex(1767225600000 + number * 10000), 12, '0') || '7' || substr(md5(number::text), 1, 3)
            || '8' || substr(md5(number::text), 4, 15)
    )::uuid
$$";

/// Of the order service: `$1` and `$2` are the first and the last number, `{sku}` the SKU of an order.
const ORDER: [&str; 7] = [
    "insert into orders (id, customer_id, status, method, total, currency, payment_id, shipping_address, placed_at, changed_at)
     select bench_order_id(n), md5('c' || n % 10000)::uuid, 'delivered', 'test', 19900, 'CNY', md5('p' || n)::uuid,
         '{\"name\": \"测试\", \"line1\": \"示例路 1 号\", \"city\": \"杭州\", \"country\": \"CN\"}',
         to_timestamp(1767225600 + n * 10), to_timestamp(1767225610 + n * 10)
     from generate_series($1::bigint, $2::bigint) as n",
    "insert into order_line (order_id, sku, quantity, product_id, unit_price, currency, title)
     select bench_order_id(n), {sku}, 1, md5('x' || n % 100)::uuid, 19900, 'CNY', '{\"zh\": \"基准测试商品\"}'
     from generate_series($1::bigint, $2::bigint) as n",
    "insert into payment (id, order_id, state, amount, currency, made_at)
     select md5('p' || n)::uuid, bench_order_id(n), 'approved', 19900, 'CNY', to_timestamp(1767225601 + n * 10)
     from generate_series($1::bigint, $2::bigint) as n",
    "insert into shipment (id, order_id, carrier, tracking_number, shipped_at, delivered_at)
     select md5('s' || n)::uuid, bench_order_id(n), 'built-in', upper(md5('s' || n)), to_timestamp(1767225602 + n * 10),
         to_timestamp(1767225610 + n * 10)
     from generate_series($1::bigint, $2::bigint) as n",
    "insert into order_timeline (order_id, at, service, event, status, detail)
     select bench_order_id(n), to_timestamp(1767225600 + n * 10), service, event, status, '{}'
     from generate_series($1::bigint, $2::bigint) as n, (values
         ('order', 'order.placed.v1', 'placed'), ('inventory', 'stock.reserved.v1', 'reserved'),
         ('order', 'payment.approved', 'confirmed'), ('order', 'order.confirmed.v1', 'confirmed'),
         ('order', 'order.shipped.v1', 'shipped'), ('inventory', 'stock.deducted.v1', 'shipped'),
         ('order', 'order.delivered.v1', 'delivered')
     ) as e (service, event, status)",
    "insert into messaging.sequence (aggregate, key, last)
     select 'order', bench_order_id(n)::text, 4 from generate_series($1::bigint, $2::bigint) as n",
    "insert into messaging.cursor (consumer, source, aggregate, key, last)
     select 'order.reservation', 'inventory', 'reservation', bench_order_id(n)::text, 2
     from generate_series($1::bigint, $2::bigint) as n",
];

/// Of inventory. `{level}` is the level of a SKU after its order with this number.
const INVENTORY: [&str; 5] = [
    "insert into reservation (order_id, state, reserved_at, closed_at)
     select bench_order_id(n), 'deducted', to_timestamp(1767225600 + n * 10), to_timestamp(1767225602 + n * 10)
     from generate_series($1::bigint, $2::bigint) as n",
    "insert into reservation_line (order_id, sku, warehouse_id, quantity)
     select bench_order_id(n), {sku}, (select min(warehouse_id::text)::uuid from stock), 1
     from generate_series($1::bigint, $2::bigint) as n",
    "insert into ledger (
         sku, warehouse_id, kind, on_hand_delta, reserved_delta, on_hand_after, reserved_after, order_id, actor, at
     )
     select {sku}, (select min(warehouse_id::text)::uuid from stock), kind, on_hand, reserved, {level} + on_hand,
         greatest(reserved, 0), bench_order_id(n), 'order', to_timestamp(1767225600 + n * 10)
     from generate_series($1::bigint, $2::bigint) as n, (values ('reserved', 0, 1), ('deducted', -1, -1)) as m (kind, on_hand, reserved)",
    "insert into messaging.sequence (aggregate, key, last)
     select 'reservation', bench_order_id(n)::text, 2 from generate_series($1::bigint, $2::bigint) as n",
    "insert into messaging.cursor (consumer, source, aggregate, key, last)
     select 'inventory.order', 'order', 'order', bench_order_id(n)::text, 4
     from generate_series($1::bigint, $2::bigint) as n",
];

/// Of behavior-analytics, which deletes baskets after 90 days.
const BEHAVIOR: [&str; 1] =
    ["insert into messaging.cursor (consumer, source, aggregate, key, last)
     select 'behavior-analytics.order', 'order', 'order', bench_order_id(n)::text, 4
     from generate_series($1::bigint, $2::bigint) as n"];

/// What was inserted.
pub(super) struct Inserted {
    pub(super) bytes_per_order: f64,
    pub(super) took: Duration,
}

/// Inserts `orders` delivered orders, and writes them to the disk as after months.
pub(super) async fn insert(databases: &Databases, orders: u64) -> Result<Inserted, Error> {
    let began = Instant::now();
    let before = bytes(databases).await?;
    let all = [
        (&databases.order, ORDER.as_slice()),
        (&databases.inventory, INVENTORY.as_slice()),
        (&databases.behavior, BEHAVIOR.as_slice()),
    ];
    for (pool, _) in all {
        sqlx::raw_sql(ORDER_ID).execute(pool).await?;
    }
    let mut first = 0;
    while first < orders {
        let last = orders.min(first + CHUNK) - 1;
        let [order, inventory, behavior] =
            all.map(|(pool, statements)| insert_chunk(pool, statements, first, last));
        tokio::try_join!(order, inventory, behavior)?;
        first = last + 1;
        if first % 500_000 == 0 {
            output::line(format!("{} orders stored", output::number(first)));
        }
    }
    let sold = "update stock set on_hand = on_hand - l.sold
        from (select sku, -sum(on_hand_delta) as sold from ledger where kind = 'deducted' group by sku) l
        where l.sku = stock.sku";
    sqlx::raw_sql(sold).execute(&databases.inventory).await?;
    for (pool, _) in all {
        // What PostgreSQL would do some time after so many rows: not while orders flow.
        sqlx::raw_sql("vacuum (freeze, analyze)").execute(pool).await?;
    }
    sqlx::raw_sql("checkpoint").execute(&databases.order).await?;
    let grown = bytes(databases).await?.saturating_sub(before);
    let bytes_per_order = as_figure(grown) / as_figure(orders);
    Ok(Inserted { bytes_per_order, took: began.elapsed() })
}

async fn insert_chunk(
    pool: &PgPool,
    statements: &[&str],
    first: u64,
    last: u64,
) -> Result<(), Error> {
    let sku = format!("'BENCH-' || n % {PRODUCTS} || '-' || n / {PRODUCTS} % {VARIANTS}");
    let level = format!("{STOCK} - n / {}", PRODUCTS * VARIANTS);
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    for statement in statements {
        let statement = statement.replace("{sku}", &sku).replace("{level}", &level);
        let inserted: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
            "with inserted as ({statement} returning 1) select count(*) from inserted"
        )))
        .bind(number(first))
        .bind(number(last))
        .fetch_one(pool)
        .await?;
        if inserted < number(last + 1 - first) {
            return Err(Error::Inconsistent(format!("{inserted} rows from {first} to {last}")));
        }
    }
    Ok(())
}

async fn bytes(databases: &Databases) -> Result<u64, Error> {
    let mut sum = 0;
    for pool in [&databases.order, &databases.inventory, &databases.behavior] {
        let bytes: i64 = sqlx::query_scalar("select pg_database_size(current_database())")
            .fetch_one(pool)
            .await?;
        sum += u64::try_from(bytes).unwrap_or_default();
    }
    Ok(sum)
}
