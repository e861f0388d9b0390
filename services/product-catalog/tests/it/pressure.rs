//! Backpressure: the catalogue while the broker is away.

use reqwest::{Method, Response};
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;

use crate::suite::{Suite, keyboard, path_of, problem_of};

async fn refused(response: Response) {
    let seconds: u32 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(seconds >= 1);
    assert_eq!(problem_of(response).await, (503, "broker_unavailable".to_owned(), vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_refused_while_the_broker_is_away() {
    let mut suite = Suite::start().await;
    let proxy = suite.restart_catalogue_behind_proxy().await;
    let (product, _) = suite.create(&keyboard("K-1")).await;
    suite.receive(1).await;
    let path = path_of(&product);
    proxy.refuse().await;
    proxy.cut();

    // This write is accepted, but its event stays in the outbox; when it is old, writes are refused.
    suite.create(&keyboard("K-2")).await;
    wait_for("a write is refused", LONGEST_WAIT, async || {
        let response =
            suite.request(Method::PUT, &path).json(&keyboard("K-1")).send().await.unwrap();
        if response.status() == 503 { Ok(()) } else { Err(response.status()) }
    })
    .await
    .unwrap();
    let product = suite.get(&path).await;
    for (method, path) in [
        (Method::POST, "/v1/products"),
        (Method::PUT, &*path),
        (Method::PATCH, &*path),
        (Method::DELETE, &*path),
    ] {
        let request = suite.request(method, path).json(&keyboard("K-3"));
        refused(request.send().await.unwrap()).await;
    }
    let import = suite.request(Method::POST, "/v1/imports");
    let import = import.header("content-type", "application/x-ndjson");
    refused(import.body(keyboard("K-4").to_string()).send().await.unwrap()).await;
    assert_eq!(suite.get(&path).await["version"], product["version"], "reads still work");
    let ready = suite.anonymous(Method::GET, "/health/ready").send().await.unwrap();
    assert_eq!(ready.status(), 200, "it still answers reads");
    let ready: serde_json::Value = ready.json().await.unwrap();
    assert_eq!(ready["status"], "degraded");
    let reason = ready["components"]["outbox"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("events cannot be published: "), "{reason}");

    proxy.heal().await;
    wait_for("writes are accepted again", LONGEST_WAIT, async || {
        let response =
            suite.request(Method::PUT, &path).json(&keyboard("K-1")).send().await.unwrap();
        if response.status() == 200 { Ok(()) } else { Err(response.status()) }
    })
    .await
    .unwrap();
    wait_for("the catalogue is no longer degraded", LONGEST_WAIT, async || {
        let ready = suite.anonymous(Method::GET, "/health/ready").send().await.unwrap();
        let ready: serde_json::Value = ready.json().await.unwrap();
        if ready["status"] == "up" { Ok(()) } else { Err(ready) }
    })
    .await
    .unwrap();
    suite.settled().await;
}
