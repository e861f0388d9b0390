//! The index is rebuilt next to the one in use.

use std::fs;

use reqwest::{Method, StatusCode};
use service_testkit::{LONGEST_WAIT, answer};
use testkit::wait_for;

use crate::{
    events::{keyboards, next_version},
    suite::Suite,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_under_load_loses_nothing() {
    let suite = Suite::start().await;
    let mut products = keyboards(800);
    for products in products.chunks(100) {
        suite.catalogue.publish_all(products).await;
    }
    suite.wait_applied(products[799].product_id, 1).await;
    suite.settle().await;
    let folder = fs::read_to_string(suite.index_dir().join("current")).unwrap();

    let (status, started) = answer(suite.as_operator(Method::POST, "/v1/index/rebuild")).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{started}");
    let mut seen = 0;
    for batch in products.chunks_mut(10) {
        for product in &mut *batch {
            *product = next_version(product);
        }
        suite.catalogue.publish_all(batch).await;
        let newest = suite.search(&[("q", "机械键盘"), ("limit", "0")]).await;
        assert_eq!(newest["total"], 800);
        let change = suite.index().await["change"].as_i64().unwrap();
        assert!(change >= seen, "the index went back from {seen} to {change}");
        seen = change;
    }
    wait_for("the rebuild is finished", LONGEST_WAIT, async || {
        let state = suite.index().await;
        if state["rebuilding"] == false { Ok(()) } else { Err(state) }
    })
    .await
    .unwrap();
    let state = suite.index().await;
    assert!(state["last_rebuild"]["finished_at"].is_string(), "{state}");
    assert_eq!(state["last_rebuild"].get("error"), None);
    assert_ne!(fs::read_to_string(suite.index_dir().join("current")).unwrap(), folder);

    for product in products.iter().step_by(80) {
        suite.wait_applied(product.product_id, 2).await;
        assert_eq!(suite.found(product.product_id).await, Some(2));
    }
    suite.settle().await;
    suite.finish(0).await;
}
