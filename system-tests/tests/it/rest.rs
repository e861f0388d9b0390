//! A suite without traffic rests, and wakes at once.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use system_tests::{SERVICES, Servers, Shop};
use testkit::{DataDir, wait_for};
use uuid::Uuid;

/// Transactions that all services together may do per second at rest.
const MAX_RATE: f64 = 5.0;

/// How long transactions are counted.
const PERIOD: Duration = Duration::from_secs(25);

/// Timeout until a suite rests whose last order is delivered.
const TIMEOUT: Duration = Duration::from_mins(3);

/// Much less than the pause of a loop at rest.
const WAKE_TIMEOUT: Duration = Duration::from_secs(7);

/// The transactions of the services so far. `server` names another database, where this query is counted.
async fn transactions(server: &str) -> i64 {
    let mut connection = PgConnection::connect(server).await.unwrap();
    sqlx::query_scalar(
        "select sum(xact_commit + xact_rollback)::bigint from pg_stat_database where datname = any($1)",
    )
    .bind(&SERVICES[..])
    .fetch_one(&mut connection)
    .await
    .unwrap()
}

/// The transactions per second over `period`.
async fn rate(server: &str, period: Duration) -> f64 {
    let (began, before) = (Instant::now(), transactions(server).await);
    tokio::time::sleep(period).await;
    let number = u32::try_from(transactions(server).await - before).unwrap();
    f64::from(number) / began.elapsed().as_secs_f64()
}

/// Places an order, and returns the time until it is reserved and paid.
async fn time_to_confirmation(shop: &Shop) -> (String, Duration) {
    let began = Instant::now();
    let buyer = Uuid::now_v7().to_string();
    let placed = shop.order(&buyer, "KB-1", 1, None).await.unwrap().expect_status(202).unwrap();
    let id = placed.text("/id");
    shop.wait_for_order(&id, &["confirmed", "shipped", "delivered"]).await.unwrap();
    (id, began.elapsed())
}

#[tokio::test]
async fn an_idle_suite_rests_and_wakes_at_once() {
    let shop = Shop::start_with_private_servers(DataDir::in_memory, &[]).await.unwrap();
    let Servers::Private { postgres, .. } = &shop.servers else {
        unreachable!("the suite has private servers")
    };
    let server = postgres.url();
    let mut connection = PgConnection::connect(&server).await.unwrap();
    // The work of the server itself is not counted.
    for setting in ["alter system set autovacuum = off", "select pg_reload_conf()"] {
        sqlx::raw_sql(setting).execute(&mut connection).await.unwrap();
    }
    shop.stocked_product("极光 F87 机械键盘", "KB-1", 32_900, 10).await.unwrap();
    let (id, _) = time_to_confirmation(&shop).await;
    shop.wait_for_order(&id, &["delivered"]).await.unwrap();

    // After twenty seconds without traffic, publishers send the last messages once more.
    wait_for("the suite rests", TIMEOUT, async || {
        let rate = rate(&server, PERIOD).await;
        if rate <= MAX_RATE { Ok(()) } else { Err(format!("{rate:.1} transactions/s")) }
    })
    .await
    .unwrap();

    let (id, took) = time_to_confirmation(&shop).await;
    assert!(took < WAKE_TIMEOUT, "the first order after the rest took {took:?}");
    shop.wait_for_order(&id, &["delivered"]).await.unwrap();
    shop.assert_clean_audit().await.unwrap();
    shop.stop().await.unwrap();
}
