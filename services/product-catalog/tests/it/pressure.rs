//! What the catalogue does while the broker is away.

use reqwest::{Method, Response};
use testkit::wait_for;

use crate::suite::{PATIENCE, Suite, keyboard, path_of, problem_of};

async fn refused(answer: Response) {
    let seconds: u32 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(seconds >= 1);
    assert_eq!(problem_of(answer).await, (503, "broker_unavailable".to_owned(), vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_refused_while_events_do_not_leave_and_taken_when_they_do() {
    let mut suite = Suite::start().await;
    let proxy = suite.restart_catalogue_behind().await;
    let (product, _) = suite.create(&keyboard("K-1")).await;
    suite.hear(1).await;
    let path = path_of(&product);
    proxy.refuse().await;
    proxy.cut();

    // It is taken, and cannot leave; who comes when it is old is refused.
    suite.create(&keyboard("K-2")).await;
    wait_for("a write is refused", PATIENCE, async || {
        let answer = suite.request(Method::PUT, &path).json(&keyboard("K-1")).send().await.unwrap();
        if answer.status() == 503 { Ok(()) } else { Err(answer.status()) }
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
    assert_eq!(suite.get(&path).await["version"], product["version"], "reading goes on");
    let ready = suite.anonymous(Method::GET, "/health/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let ready: serde_json::Value = ready.json().await.unwrap();
    let reason = ready["components"]["outbox"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("events do not leave: "), "{reason}");

    proxy.heal().await;
    wait_for("writes are taken again", PATIENCE, async || {
        let answer = suite.request(Method::PUT, &path).json(&keyboard("K-1")).send().await.unwrap();
        if answer.status() == 200 { Ok(()) } else { Err(answer.status()) }
    })
    .await
    .unwrap();
    wait_for("the catalogue is ready", PATIENCE, async || {
        let ready = suite.anonymous(Method::GET, "/health/ready").send().await.unwrap();
        if ready.status() == 200 { Ok(()) } else { Err(ready.text().await.unwrap()) }
    })
    .await
    .unwrap();
    suite.at_rest().await;
}
