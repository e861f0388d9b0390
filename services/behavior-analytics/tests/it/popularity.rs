//! Publication of popularity.

use serde_json::Value;

use crate::harness::{Harness, view};

#[tokio::test(flavor = "multi_thread")]
async fn popularity_is_published_when_demand_changes_enough() {
    let mut harness = Harness::start().await;
    let (a, b) = (harness.stocked_product("A", "x").await, harness.stocked_product("B", "x").await);
    let views: Vec<Value> = (0..10).map(|n| view(&format!("v{n}"), a)).collect();
    harness.send(&views).await;
    let published =
        harness.popularity.wait_one(|event| event.product_id == a && event.score > 9.0).await;
    assert!(published.score <= 10.0, "{published:?}");

    // One more view is too small a change, also after a restart. Two views of the other product are enough.
    harness.restart().await;
    harness.send(&[view("w", a), view("w", b), view("x", b)]).await;
    harness.popularity.wait_one(|event| event.product_id == b && event.score > 1.5).await;
    let of_a: Vec<_> =
        harness.popularity.all().into_iter().filter(|event| event.product_id == a).collect();
    let versions: Vec<i64> = of_a.iter().map(|event| event.version.get()).collect();
    let dense: Vec<i64> = (1..).take(versions.len()).collect();
    assert_eq!(versions, dense);
    assert_eq!(of_a.last(), Some(&published));
    let written = "select count(*) from popularity where version >= 1 and score > 0";
    assert_eq!(harness.count(written).await, 2);
    harness.finish(0).await;
}
