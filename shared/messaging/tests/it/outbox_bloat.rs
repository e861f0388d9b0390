//! A long-running transaction does not bloat the outbox permanently.

use messaging::OnReject;
use sqlx::PgPool;
use testkit::wait_for;

use crate::harness::{Harness, TIMEOUT};

/// The allowed size of the outbox at the end, in bytes. During the long transaction it is several times as large.
const MAX_BYTES: i64 = 2 * 1024 * 1024;

/// Includes the indexes.
async fn outbox_bytes(harness: &Harness) -> i64 {
    sqlx::query_scalar("select pg_total_relation_size('messaging.outbox')")
        .fetch_one(harness.publisher.pool())
        .await
        .unwrap()
}

/// An open transaction keeps vacuum from removing dead rows, so the relay scans them. The relay must continue, and the table must
/// shrink afterwards.
#[tokio::test]
async fn an_open_transaction_stops_nothing_and_leaves_no_bloat() {
    let harness = Harness::open(OnReject::BlockKey).await;
    // Without session timeouts.
    let other_pool = PgPool::connect(harness.publisher_url()).await.unwrap();
    let mut open_transaction = other_pool.begin().await.unwrap();
    let _: i64 = sqlx::query_scalar("select txid_current()")
        .fetch_one(&mut *open_transaction)
        .await
        .unwrap();
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let walks: Vec<String> = (0..100).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    for number in 1..=300 {
        harness.publish_steps(&names, number..=number).await;
    }
    harness.wait_for_total(300 * 100).await;
    sqlx::raw_sql("vacuum messaging.outbox").execute(harness.publisher.pool()).await.unwrap();
    let bytes = outbox_bytes(&harness).await;
    assert!(bytes > MAX_BYTES * 2, "the transaction caused no bloat: {bytes} bytes");
    open_transaction.rollback().await.unwrap();
    harness.publish_steps(&names, 301..=301).await;
    harness.wait_for_total(301 * 100).await;
    harness.assert_effects(&walks, 301).await;
    // Autovacuum would do this later.
    sqlx::raw_sql("vacuum messaging.outbox").execute(harness.publisher.pool()).await.unwrap();
    wait_for("the outbox is small", TIMEOUT, async || {
        let bytes = outbox_bytes(&harness).await;
        if bytes > MAX_BYTES {
            return Err(format!("{bytes} bytes"));
        }
        println!("the outbox takes {bytes} bytes");
        Ok(())
    })
    .await
    .unwrap();
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
