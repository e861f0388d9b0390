//! What a session that somebody forgot in the middle of a transaction does to the outbox (a part of R15).

use messaging::OnReject;
use sqlx::PgPool;
use testkit::wait_for;

use crate::shop::{SOON, Shop};

/// The most that the outbox may take on disk when all is over, in bytes; while the session stands it is several times as much.
const MOST_BYTES: i64 = 2 * 1024 * 1024;

/// What the outbox takes on disk, with its indexes.
async fn outbox_bytes(shop: &Shop) -> i64 {
    sqlx::query_scalar("select pg_total_relation_size('messaging.outbox')")
        .fetch_one(shop.speaker.pool())
        .await
        .unwrap()
}

/// While such a session stands, no deleted row of any table can be cleaned away, so that the relay wades through them. It must go
/// on all the same, and the table must not stay big.
#[tokio::test]
async fn a_forgotten_transaction_stops_nothing_and_leaves_no_bloat() {
    let shop = Shop::open(OnReject::BlockKey).await;
    // Of somebody whose connection is not guarded.
    let somebody = PgPool::connect(shop.speaker_url()).await.unwrap();
    let mut forgotten = somebody.begin().await.unwrap();
    let _: i64 =
        sqlx::query_scalar("select txid_current()").fetch_one(&mut *forgotten).await.unwrap();
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    let walks: Vec<String> = (0..100).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    for number in 1..=300 {
        shop.walk(&names, number..=number).await;
    }
    shop.wait_for_total(300 * 100).await;
    sqlx::raw_sql("vacuum messaging.outbox").execute(shop.speaker.pool()).await.unwrap();
    let bytes = outbox_bytes(&shop).await;
    assert!(bytes > MOST_BYTES * 2, "the session keeps nothing: {bytes} bytes");
    forgotten.rollback().await.unwrap();
    shop.walk(&names, 301..=301).await;
    shop.wait_for_total(301 * 100).await;
    shop.assert_walked(&walks, 301).await;
    // What autovacuum does in its own time.
    sqlx::raw_sql("vacuum messaging.outbox").execute(shop.speaker.pool()).await.unwrap();
    wait_for("the outbox is small", SOON, async || {
        let bytes = outbox_bytes(&shop).await;
        if bytes > MOST_BYTES {
            return Err(format!("{bytes} bytes"));
        }
        println!("the outbox takes {bytes} bytes");
        Ok(())
    })
    .await
    .unwrap();
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}
