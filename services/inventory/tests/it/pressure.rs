//! Backpressure: writes over HTTP while events cannot be published.

use reqwest::{Method, StatusCode};
use serde_json::json;
use service_testkit::{LONGEST_WAIT, answer, events::product_changed};
use testkit::wait_for;
use vocabulary::ProductId;

use crate::suite::Suite;

#[tokio::test(flavor = "multi_thread")]
async fn stock_changes_are_refused_while_the_broker_is_away() {
    let (suite, proxy) = Suite::start_behind_proxy().await;
    suite.catalogue.publish(&product_changed(ProductId::new(), 1, &["A"])).await;
    suite.applied.wait(1, |_| true).await;
    proxy.refuse().await;
    proxy.cut();
    // This change is accepted, but its event cannot be published.
    assert_eq!(suite.put("/v1/stock/A", json!({"on_hand": 5})).await.0, StatusCode::OK);
    wait_for("a change is refused", LONGEST_WAIT, async || {
        match suite.put("/v1/stock/A", json!({"on_hand": 5})).await {
            (StatusCode::SERVICE_UNAVAILABLE, _) => Ok(()),
            (status, body) => Err(format!("{status}: {body}")),
        }
    })
    .await
    .unwrap();
    for (method, path, body) in [
        (Method::PUT, "/v1/stock/A", json!({"on_hand": 6})),
        (Method::POST, "/v1/stock", json!([{"sku": "A", "on_hand": 6}])),
        (Method::POST, "/v1/stock/A/adjustments", json!({"delta": 1, "reason": "found"})),
    ] {
        let (status, problem) = answer(suite.as_clerk(method.clone(), path).json(&body)).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{method} {path}");
        assert_eq!(problem["code"], "broker_unavailable", "{method} {path}");
    }
    assert_eq!(suite.levels("A").await, (5, 0, 5));
    proxy.heal().await;
    wait_for("a change is accepted", LONGEST_WAIT, async || {
        match suite.put("/v1/stock/A", json!({"on_hand": 7})).await {
            (StatusCode::OK, _) => Ok(()),
            (status, body) => Err(format!("{status}: {body}")),
        }
    })
    .await
    .unwrap();
    suite.finish(0).await;
}
