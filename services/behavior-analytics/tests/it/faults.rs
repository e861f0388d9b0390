//! Faults of the broker and of the process.

use reqwest::{Method, StatusCode};
use serde_json::json;
use service_testkit::LONGEST_WAIT;
use testkit::{Proxy, Vhost, wait_for};
use vocabulary::ProductId;

use crate::suite::{Suite, view};

#[tokio::test(flavor = "multi_thread")]
async fn events_are_refused_while_the_broker_is_unreachable() {
    let vhost = Vhost::create().await.unwrap();
    let (proxy, url) = Proxy::in_front_of(vhost.url()).await.unwrap();
    let suite = Suite::start_with_broker_at(vhost, Some(url)).await;
    let product = ProductId::new();
    let first = view("a", product);
    suite.send(std::slice::from_ref(&first)).await;

    proxy.refuse().await;
    proxy.cut();
    let second = view("b", product);
    let refused = suite.request(Method::POST, "/v1/events").json(&second).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    let problem: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "intake_unavailable");
    // Queries need no broker.
    assert_eq!(suite.get("/v1/trending").await.0, StatusCode::OK);

    proxy.heal().await;
    wait_for("events are accepted again", LONGEST_WAIT, async || {
        match suite.post_events(&json!([first, second])).await {
            (StatusCode::ACCEPTED, _) => Ok(()),
            (_, problem) => Err(problem),
        }
    })
    .await
    .unwrap();
    wait_for("both events are stored", LONGEST_WAIT, async || {
        match suite.count("select count(*) from user_event").await {
            2 => Ok(()),
            count => Err(count),
        }
    })
    .await
    .unwrap();
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_no_accepted_event() {
    let mut suite = Suite::start().await;
    let product = ProductId::new();
    for round in 0..4 {
        for batch in 0..10 {
            let visitor = format!("v{round}-{batch}");
            let events: Vec<_> = (0..20).map(|_| view(&visitor, product)).collect();
            suite.send(&events).await;
        }
        suite.restart().await;
    }
    let row = suite.wait_until_received(800).await;
    assert_eq!((&row["stored"], &row["kept"]), (&json!(800), &json!(800)));
    suite.finish(0).await;
}
