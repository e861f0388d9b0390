//! Others hear what is in demand.

use serde_json::Value;

use crate::suite::{Suite, view};

#[tokio::test(flavor = "multi_thread")]
async fn demand_is_said_when_it_changes_enough() {
    let mut suite = Suite::start().await;
    let (a, b) = (suite.stocked_product("A", "x").await, suite.stocked_product("B", "x").await);
    let views: Vec<Value> = (0..10).map(|n| view(&format!("v{n}"), a)).collect();
    suite.send(&views).await;
    let said = suite.popularity.wait(|said| said.product_id == a && said.score > 9.0).await;
    assert!(said.score <= 10.0, "{said:?}");

    // One view more is not worth telling; of a process that starts, too. Two for the other product are.
    suite.restart().await;
    suite.send(&[view("w", a), view("w", b), view("x", b)]).await;
    suite.popularity.wait(|said| said.product_id == b && said.score > 1.5).await;
    let of_a: Vec<_> =
        suite.popularity.all().into_iter().filter(|said| said.product_id == a).collect();
    let versions: Vec<i64> = of_a.iter().map(|said| said.version.get()).collect();
    let dense: Vec<i64> = (1..).take(versions.len()).collect();
    assert_eq!(versions, dense);
    assert_eq!(of_a.last(), Some(&said));
    let written = "select count(*) from popularity where version >= 1 and score > 0";
    assert_eq!(suite.count(written).await, 2);
    suite.finish(0).await;
}
