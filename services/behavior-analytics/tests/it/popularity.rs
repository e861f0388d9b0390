//! Publication of popularity.

use serde_json::Value;

use crate::suite::{Suite, view};

#[tokio::test(flavor = "multi_thread")]
async fn popularity_is_published_when_demand_changes_enough() {
    let mut suite = Suite::start().await;
    let (a, b) = (suite.stocked_product("A", "x").await, suite.stocked_product("B", "x").await);
    let views: Vec<Value> = (0..10).map(|n| view(&format!("v{n}"), a)).collect();
    suite.send(&views).await;
    let published =
        suite.popularity.wait_one(|event| event.product_id == a && event.score > 9.0).await;
    assert!(published.score <= 10.0, "{published:?}");

    // One more view is too small a change, also after a restart. Two views of the other product are enough.
    suite.restart().await;
    suite.send(&[view("w", a), view("w", b), view("x", b)]).await;
    suite.popularity.wait_one(|event| event.product_id == b && event.score > 1.5).await;
    let of_a: Vec<_> =
        suite.popularity.all().into_iter().filter(|event| event.product_id == a).collect();
    let versions: Vec<i64> = of_a.iter().map(|event| event.version.get()).collect();
    let dense: Vec<i64> = (1..).take(versions.len()).collect();
    assert_eq!(versions, dense);
    assert_eq!(of_a.last(), Some(&published));
    let written = "select count(*) from popularity where version >= 1 and score > 0";
    assert_eq!(suite.count(written).await, 2);
    suite.finish(0).await;
}
