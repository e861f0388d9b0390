//! Following changes until every service has applied them.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use testkit::wait_for;
use tokio::time::timeout;

use crate::suite::{PATIENCE, Suite, change_of, keyboard, later, path_of, problem_of};

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
async fn receipts_complete_a_change_and_all_before_it() {
    let suite = Suite::start().await;
    let (product, first) = suite.create(&keyboard("K-1")).await;
    let (other, unconcerned) = suite.create(&keyboard("K-2")).await;
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
    let mut speakers = Vec::new();
    for service in SERVICES {
        speakers.push(suite.speaker(service).await);
    }
    // Three have applied the first version, and the second later; one goes straight to the second.
    for speaker in &speakers[1..] {
        speaker.applied(&[(&product, 1), (&other, 1)], at).await;
    }
    speakers[0].applied(&[(&product, 2)], later(70)).await;
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
    let state = suite.get(&format!("/v1/changes/{unconcerned}")).await;
    assert_eq!(statuses(&state), ["pending", "applied", "applied", "applied"]);
    for speaker in &speakers[1..] {
        speaker.applied(&[(&product, 2)], later(1000)).await;
    }
    let state = suite.get(&format!("/v1/changes/{second}?wait_ms=30000")).await;
    assert_eq!(state["complete"], json!(true));
    // The first receipt that covered the first change stands.
    let state = suite.get(&format!("/v1/changes/{first}")).await;
    assert_eq!(&state["downstream"][1], one);

    // A write that changes nothing is complete at once.
    let same = suite
        .request(Method::PATCH, &path_of(&product))
        .json(&json!({"brand": "B"}))
        .send()
        .await
        .unwrap();
    let state = suite.get(&format!("/v1/changes/{}", change_of(&same))).await;
    assert_eq!(state["complete"], json!(true));
    suite.at_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_shown_until_it_is_mended() {
    let suite = Suite::start().await;
    let (product, change) = suite.create(&keyboard("K-1")).await;
    let inventory = suite.speaker("inventory").await;
    let path = format!("/v1/changes/{change}");
    let becomes = async |expected: &str| {
        wait_for("the receipt is noted", PATIENCE, async || {
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
    suite.at_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_woken_and_else_answered_in_time() {
    let suite = Suite::start().await;
    let (product, change) = suite.create(&keyboard("K-1")).await;
    let begun = Instant::now();
    let state = suite.get(&format!("/v1/changes/{change}?wait_ms=300")).await;
    assert_eq!(state["complete"], json!(false));
    assert!(begun.elapsed() >= Duration::from_millis(300));

    let mut speakers = Vec::new();
    for service in SERVICES {
        speakers.push(suite.speaker(service).await);
    }
    let path = format!("/v1/changes/{change}?wait_ms=30000");
    let waiting = suite.get(&path);
    let saying = async {
        for speaker in &speakers {
            speaker.applied(&[(&product, 1)], later(0)).await;
        }
    };
    let (state, ()) = tokio::join!(waiting, saying);
    assert_eq!(state["complete"], json!(true));

    let unknown = uuid::Uuid::now_v7();
    let answer = suite
        .anonymous(Method::GET, &format!("/v1/changes/{unknown}?wait_ms=10"))
        .send()
        .await
        .unwrap();
    assert_eq!(problem_of(answer).await.1, "not_found");
    let answer = suite
        .anonymous(Method::GET, &format!("/v1/changes/{change}?wait_ms=soon"))
        .send()
        .await
        .unwrap();
    assert_eq!(problem_of(answer).await.1, "invalid_query");
    suite.at_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_each_step_and_end_with_the_last() {
    let suite = Suite::start().await;
    let (product, change) = suite.create(&keyboard("K-1")).await;
    let path = format!("/v1/changes/{change}/events");
    let mut stream = suite.anonymous(Method::GET, &path).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let mut states: Vec<Value> = Vec::new();
    let mut next = async |until: usize| -> Vec<Value> {
        while states.len() < until {
            let piece = timeout(PATIENCE, stream.chunk()).await.expect("an event or the end");
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
    let mut speakers = Vec::new();
    for (place, service) in SERVICES.into_iter().enumerate() {
        let speaker = suite.speaker(service).await;
        speaker.applied(&[(&product, 1)], later(0)).await;
        speakers.push(speaker);
        let states = next(place + 2).await;
        let expected: Vec<&str> =
            (0..4).map(|at| if at <= place { "applied" } else { "pending" }).collect();
        assert_eq!(statuses(&states[place + 1]), expected);
    }
    // The stream has ended: asking for more does not hang.
    assert_eq!(next(usize::MAX).await.len(), 5);
    suite.at_rest().await;
}
