//! Changes, until every service has applied them.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use service_testkit::{LONGEST_WAIT, assert_dead_letters, count};
use testkit::wait_for;
use tokio::time::timeout;

use crate::suite::{Suite, change_of, keyboard, later, path_of, problem_of};

const SERVICES: [&str; 4] = ["search-sync", "inventory", "order", "behavior-analytics"];

/// Status by service.
fn statuses(change: &Value) -> Vec<&str> {
    let downstream = change["downstream"].as_array().unwrap();
    let services: Vec<&str> =
        downstream.iter().map(|one| one["service"].as_str().unwrap()).collect();
    assert_eq!(services, SERVICES);
    downstream.iter().map(|one| one["status"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn receipt_completes_a_change_and_all_earlier_ones() {
    let suite = Suite::start().await;
    let (product, first) = suite.create(&keyboard("K-1")).await;
    let (other, other_change) = suite.create(&keyboard("K-2")).await;
    let patch = suite
        .request(Method::PATCH, &path_of(&product))
        .json(&json!({"brand": "B"}))
        .send()
        .await
        .unwrap();
    let second = change_of(&patch);
    let state = suite.get(&format!("/v1/changes/{first}")).await;
    assert_eq!(state["id"], json!(first));
    assert_eq!(
        (&state["product_id"], &state["version"], &state["complete"]),
        (&product["id"], &json!(1), &json!(false))
    );
    assert_eq!(statuses(&state), ["pending"; 4]);

    let at = later(50);
    let mut services = Vec::new();
    for service in SERVICES {
        services.push(suite.downstream(service).await);
    }
    // Three services apply the first version, and later the second; one applies only the second.
    for service in &services[1..] {
        service.applied(&[(&product, 1), (&other, 1)], at).await;
    }
    services[0].applied(&[(&product, 2)], later(70)).await;
    let state = suite.get(&format!("/v1/changes/{first}?wait_ms=30000")).await;
    assert_eq!((&state["complete"], statuses(&state)), (&json!(true), vec!["applied"; 4]));
    let one = &state["downstream"][1];
    assert_eq!(
        one["applied_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap(),
        at
    );
    let made: chrono::DateTime<chrono::Utc> =
        product["created_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(one["latency_ms"], json!((at - made).num_milliseconds()));
    assert!(one.get("reason").is_none());

    let state = suite.get(&format!("/v1/changes/{second}")).await;
    assert_eq!(statuses(&state), ["applied", "pending", "pending", "pending"]);
    let state = suite.get(&format!("/v1/changes/{other_change}")).await;
    assert_eq!(statuses(&state), ["pending", "applied", "applied", "applied"]);
    for service in &services[1..] {
        service.applied(&[(&product, 2)], later(1000)).await;
    }
    let state = suite.get(&format!("/v1/changes/{second}?wait_ms=30000")).await;
    assert_eq!(state["complete"], json!(true));
    // The first receipt for the first change stays.
    let state = suite.get(&format!("/v1/changes/{first}")).await;
    assert_eq!(&state["downstream"][1], one);

    // A write without any difference is complete at once.
    let same = suite
        .request(Method::PATCH, &path_of(&product))
        .json(&json!({"brand": "B"}))
        .send()
        .await
        .unwrap();
    let state = suite.get(&format!("/v1/changes/{}", change_of(&same))).await;
    assert_eq!(state["complete"], json!(true));
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failure_is_shown_until_it_is_repaired() {
    let suite = Suite::start().await;
    let (product, change) = suite.create(&keyboard("K-1")).await;
    let inventory = suite.downstream("inventory").await;
    let path = format!("/v1/changes/{change}");
    let becomes = async |expected: &str| {
        wait_for("the receipt is recorded", LONGEST_WAIT, async || {
            let state = suite.get(&path).await;
            if statuses(&state)[1] == expected { Ok(state) } else { Err(state.to_string()) }
        })
        .await
        .unwrap()
    };
    inventory.failed(&product, 1, "the SKU is unknown", later(0)).await;
    let state = becomes("failed").await;
    assert_eq!(state["downstream"][1]["reason"], "the SKU is unknown");
    assert_eq!(state["complete"], json!(false));
    inventory.applied(&[(&product, 1)], later(0)).await;
    let state = becomes("applied").await;
    assert!(state["downstream"][1].get("reason").is_none());
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_poll_ends_with_completion_or_timeout() {
    let suite = Suite::start().await;
    let (product, change) = suite.create(&keyboard("K-1")).await;
    let started = Instant::now();
    let state = suite.get(&format!("/v1/changes/{change}?wait_ms=300")).await;
    assert_eq!(state["complete"], json!(false));
    assert!(started.elapsed() >= Duration::from_millis(300));

    let mut services = Vec::new();
    for service in SERVICES {
        services.push(suite.downstream(service).await);
    }
    let path = format!("/v1/changes/{change}?wait_ms=30000");
    let waiting = suite.get(&path);
    let publishing = async {
        for service in &services {
            service.applied(&[(&product, 1)], later(0)).await;
        }
    };
    let (state, ()) = tokio::join!(waiting, publishing);
    assert_eq!(state["complete"], json!(true));

    let unknown = uuid::Uuid::now_v7();
    let response = suite
        .anonymous(Method::GET, &format!("/v1/changes/{unknown}?wait_ms=10"))
        .send()
        .await
        .unwrap();
    assert_eq!(problem_of(response).await.1, "not_found");
    let response = suite
        .anonymous(Method::GET, &format!("/v1/changes/{change}?wait_ms=soon"))
        .send()
        .await
        .unwrap();
    assert_eq!(problem_of(response).await.1, "invalid_query");
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_sends_every_step_and_ends_with_the_last() {
    let suite = Suite::start().await;
    let (product, change) = suite.create(&keyboard("K-1")).await;
    let path = format!("/v1/changes/{change}/events");
    let mut stream = suite.anonymous(Method::GET, &path).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let mut states: Vec<Value> = Vec::new();
    let mut next = async |until: usize| -> Vec<Value> {
        while states.len() < until {
            let piece = timeout(LONGEST_WAIT, stream.chunk()).await.expect("an event or the end");
            let Some(piece) = piece.unwrap() else { break };
            text.push_str(std::str::from_utf8(&piece).unwrap());
            while let Some((event, rest)) = text.split_once("\n\n") {
                if let Some(data) = event.strip_prefix("event: change\ndata: ") {
                    states.push(serde_json::from_str(data).unwrap());
                }
                text = rest.to_owned();
            }
        }
        states.clone()
    };
    assert_eq!(statuses(&next(1).await[0]), ["pending"; 4]);
    let mut services = Vec::new();
    for (place, service) in SERVICES.into_iter().enumerate() {
        let service = suite.downstream(service).await;
        service.applied(&[(&product, 1)], later(0)).await;
        services.push(service);
        let states = next(place + 2).await;
        let expected: Vec<&str> =
            (0..4).map(|at| if at <= place { "applied" } else { "pending" }).collect();
        assert_eq!(statuses(&states[place + 1]), expected);
    }
    // The stream has ended: reading more does not hang.
    assert_eq!(next(usize::MAX).await.len(), 5);
    suite.settled().await;
}

/// Otherwise one forged receipt would report all later changes as applied.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_unpublished_versions_do_not_count() {
    let suite = Suite::start().await;
    let (product, first) = suite.create(&keyboard("K-1")).await;
    let inventory = suite.downstream("inventory").await;
    inventory.applied(&[(&product, 2), (&product, i64::MAX)], later(0)).await;
    // The receipts of a service have an order: after this one, the first one has been handled.
    inventory.applied(&[(&product, 1)], later(0)).await;
    let applied = async |change: &str| {
        let state = suite.get(&format!("/v1/changes/{change}")).await;
        if statuses(&state)[1] == "applied" { Ok(()) } else { Err(state.to_string()) }
    };
    wait_for("the receipt is recorded", LONGEST_WAIT, async || applied(&first).await)
        .await
        .unwrap();
    let patch =
        suite.request(Method::PATCH, &path_of(&product)).json(&json!({"brand": "B"})).send().await;
    applied(&change_of(&patch.unwrap())).await.unwrap_err();
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_in_the_name_of_another_is_a_dead_letter() {
    let suite = Suite::start().await;
    let (product, change) = suite.create(&keyboard("K-1")).await;
    let inventory = suite.downstream("inventory").await;
    inventory.applied_in_name_of("order", &[(&product, 1)], later(0)).await;
    inventory.applied(&[(&product, 1)], later(0)).await;
    let path = format!("/v1/changes/{change}");
    let recorded = wait_for("the honest receipt is recorded", LONGEST_WAIT, async || {
        let state = suite.get(&path).await;
        if statuses(&state)[1] == "applied" { Ok(state) } else { Err(state.to_string()) }
    });
    let state = recorded.await.unwrap();
    assert_eq!(statuses(&state), ["pending", "applied", "pending", "pending"]);
    let reason = "select count(*) from messaging.dead_letter where reason = 'foreign_receipt'";
    assert_eq!(count(&suite.pool, reason).await, 1);
    assert_dead_letters(&suite.pool, 1).await;
    suite.settled().await;
}
