//! The dead-letter endpoints that every service has: valid, invalid and forbidden requests.

use contracts::catalog::ProductChangedV1;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service_testkit::{LONGEST_WAIT, answer, events::product_changed};
use testkit::wait_for;
use uuid::Uuid;
use vocabulary::ProductId;

use crate::suite::Suite;

/// An undecodable product event, and the id of its dead letter.
async fn with_dead_letter() -> (Suite, ProductId, String) {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let data = json!({"product_id": id, "version": 1, "variants": "all of them"}).to_string();
    suite.catalogue.publish_raw::<ProductChangedV1>(&id.to_string(), 1, &data).await;
    suite.failed.wait(1, |_| true).await;
    let (_, listed) = answer(suite.as_operator(Method::GET, "/v1/dead-letters")).await;
    let dead_letter = listed["items"][0]["id"].as_str().unwrap().to_owned();
    (suite, id, dead_letter)
}

async fn call(suite: &Suite, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let request = suite.as_operator(method, &format!("/v1/dead-letters{path}"));
    let request = if let Some(body) = body { request.json(&body) } else { request };
    let (status, body) = answer(request).await;
    (status.as_u16(), body)
}

/// Status and code of a problem.
fn code((status, body): &(u16, Value)) -> (u16, &str) {
    (*status, body["code"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letter_is_inspected_repaired_and_redriven() {
    let (suite, product_id, dead_letter) = with_dead_letter().await;
    let (status, groups) = call(&suite, Method::GET, "/groups", None).await;
    let group = &groups["items"][0];
    assert_eq!((status, &group["count"], &group["example"]), (200, &json!(1), &json!(dead_letter)));
    assert_eq!(group["reason"], "undecodable");

    let path = format!("/{dead_letter}");
    let (status, shown) = call(&suite, Method::GET, &path, None).await;
    assert_eq!((status, &shown["exchange"]), (200, &json!("product-catalog")));
    let differences = shown["fit"]["differences"].as_array().unwrap();
    let at = |place: &str| {
        differences.iter().find(|one| one["place"] == place).map(|one| one["what"].clone())
    };
    assert_eq!(at("variants"), Some(json!("wrong_type")));
    assert_eq!(at("title"), Some(json!("missing")));

    let (data, dry_run) = (format!("{path}/data"), format!("{path}/dry-run"));
    let (status, tried) = call(&suite, Method::POST, &dry_run, None).await;
    assert_eq!((status, &tried["outcome"]), (200, &json!("fails")));
    let bad = call(&suite, Method::PUT, &data, Some(json!({"variants": []}))).await;
    assert_eq!(code(&bad), (422, "does_not_fit"), "{}", bad.1);
    let other = serde_json::to_value(product_changed(ProductId::new(), 1, &["A"])).unwrap();
    let other = call(&suite, Method::PUT, &data, Some(other)).await;
    assert_eq!(code(&other), (422, "other_key"), "{}", other.1);
    let repaired = serde_json::to_value(product_changed(product_id, 1, &["A"])).unwrap();
    let put = suite.as_operator(Method::PUT, &format!("/v1/dead-letters{data}")).json(&repaired);
    assert_eq!(put.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let (_, tried) = call(&suite, Method::POST, &dry_run, None).await;
    assert_eq!(tried["outcome"], "takes_effect");
    assert_eq!(suite.count("select count(*) from stock").await, 0, "a dry run changes nothing");

    let group = json!({"reason": group["reason"], "cause": group["cause"], "per_second": 10});
    let (status, done) = call(&suite, Method::POST, "/redrive", Some(group)).await;
    let expected = json!({
        "redriven": 1, "failed": 0, "not_yet": 0, "failures": [], "left": 0, "next": null,
    });
    assert_eq!((status, done), (200, expected));
    assert_eq!(suite.levels("A").await, (0, 0, 0));
    let (_, shown) = call(&suite, Method::GET, &path, None).await;
    assert_eq!(shown["state"], "redriven");
    assert!(shown["original"].as_str().unwrap().contains("all of them"));
    for (method, rest) in
        [(Method::POST, "/redrive"), (Method::POST, "/dry-run"), (Method::POST, "/discard")]
    {
        let gone = call(&suite, method, &format!("{path}{rest}"), None).await;
        assert_eq!(code(&gone), (404, "not_found"), "{rest}");
    }
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_discarded_in_bulk() {
    let (suite, _, dead_letter) = with_dead_letter().await;
    for (path, body, expected) in [
        ("/discard", json!({}), (422, "validation_failed")),
        ("/discard", json!({"per_second": 5}), (422, "validation_failed")),
        ("/redrive", json!({"per_second": 0}), (422, "validation_failed")),
        ("/redrive", json!({"at_most": 0}), (422, "validation_failed")),
        ("/redrive", json!({"at_most": 2_000_000}), (422, "validation_failed")),
        ("/redrive", json!({"after": Uuid::now_v7()}), (422, "validation_failed")),
        ("/discard", json!({"reason": "x", "after": Uuid::now_v7()}), (422, "validation_failed")),
    ] {
        let refused = call(&suite, Method::POST, path, Some(body.clone())).await;
        assert_eq!(code(&refused), expected, "{path} {body}");
    }
    for (path, body) in
        [("/redrive", json!({"consumers": "x"})), ("/discard", json!({"after": "x"}))]
    {
        let refused = call(&suite, Method::POST, path, Some(body)).await;
        assert!((400..500).contains(&refused.0), "{refused:?}");
    }
    let missing = call(&suite, Method::GET, &format!("/{}", Uuid::now_v7()), None).await;
    assert_eq!(code(&missing), (404, "not_found"));
    let other = json!({"consumer": "inventory.order"});
    let (_, done) = call(&suite, Method::POST, "/discard", Some(other)).await;
    assert_eq!((&done["discarded"], &done["left"]), (&json!(0), &json!(0)));
    let (_, listed) =
        call(&suite, Method::GET, "?consumer=inventory.product&kind=product.changed.v1", None)
            .await;
    assert_eq!(listed["items"][0]["id"], json!(dead_letter));
    let (_, listed) = call(&suite, Method::GET, "?reason=another", None).await;
    assert_eq!((&listed["items"], &listed["next"]), (&json!([]), &json!(null)));
    let (_, listed) = call(&suite, Method::GET, "?limit=1", None).await;
    assert_eq!(listed["next"], json!(dead_letter));
    let (_, next) = call(&suite, Method::GET, &format!("?limit=1&after={dead_letter}"), None).await;
    assert_eq!((&next["items"], &next["next"]), (&json!([]), &json!(null)));
    let lost = call(&suite, Method::GET, &format!("?after={}", Uuid::now_v7()), None).await;
    assert_eq!(code(&lost), (422, "validation_failed"));
    let all = json!({"consumer": "inventory.product"});
    let (status, done) = call(&suite, Method::POST, "/discard", Some(all)).await;
    assert_eq!(
        (status, done),
        (200, json!({"discarded": 1, "not_yet": 0, "left": 0, "next": null}))
    );
    suite.finish(0).await;
}

/// Versions 1 and 2 of a product never arrive.
#[tokio::test(flavor = "multi_thread")]
async fn missing_events_are_declared_lost() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let publish = async |sequence: i64| {
        let event = product_changed(id, sequence, &["A"]);
        let data = serde_json::to_string(&event).unwrap();
        suite.catalogue.publish_raw::<ProductChangedV1>(&id.to_string(), sequence, &data).await;
    };
    publish(3).await;
    wait_for("the event waits for its predecessor", LONGEST_WAIT, async || {
        match suite.count("with due as (update messaging.parked set next_at = now() where why = 'gap' returning 1) select count(*) from due").await {
            0 => Err("it is not parked"),
            _ => Ok(()),
        }
    })
    .await
    .unwrap();
    suite.failed.wait(1, |_| true).await;
    let (_, listed) = call(&suite, Method::GET, "?reason=missing_predecessor", None).await;
    let path = format!("/{}", listed["items"][0]["id"].as_str().unwrap());
    let (_, shown) = call(&suite, Method::GET, &path, None).await;
    assert_eq!(shown["missing"], json!({"first": 1, "last": 2}), "{shown}");

    let lost = format!("{path}/declare-lost");
    let declare = async |first: i64, last: i64, reason: &str| {
        let body = json!({"first": first, "last": last, "reason": reason});
        call(&suite, Method::POST, &lost, Some(body)).await
    };
    for reason in ["", "  ", &"long".repeat(200)] {
        let refused = declare(1, 2, reason).await;
        assert_eq!(code(&refused), (422, "validation_failed"), "{}", refused.1);
        assert_eq!(refused.1["errors"][0]["field"], "reason");
    }
    for (first, last) in [(1, 1), (2, 2), (1, 3), (0, 0)] {
        assert_eq!(code(&declare(first, last, "why").await), (409, "others_missing"));
    }
    let body = json!({"first": 1, "last": 2, "reason": "why"});
    let unknown = format!("/{}/declare-lost", Uuid::now_v7());
    let unknown = call(&suite, Method::POST, &unknown, Some(body)).await;
    assert_eq!(code(&unknown), (404, "not_found"));
    let extra = json!({"first": 1, "last": 2, "reason": "why", "by": "me"});
    assert_eq!(call(&suite, Method::POST, &lost, Some(extra)).await.0, 422);

    let (status, declared) = declare(1, 2, " the disk failed ").await;
    let what = (&declared["first"], &declared["reason"], &declared["declared_by"]);
    assert_eq!(
        (status, what),
        (200, (&json!(1), &json!("the disk failed"), &json!("operator"))),
        "{declared}"
    );
    assert_eq!(declare(1, 2, "again").await, (200, declared));
    suite.applied.wait(1, |_| true).await;
    assert_eq!(suite.levels("A").await, (0, 0, 0));
    assert_eq!(code(&declare(3, 3, "why").await), (409, "nothing_missing"));

    // Version 2 arrives after all.
    publish(2).await;
    suite.failed.wait(2, |_| true).await;
    let (_, listed) = call(&suite, Method::GET, "", None).await;
    assert_eq!(listed["items"][0]["reason"], "declared_lost", "{listed}");
    let operator = suite.as_operator(Method::GET, "/v1/lost-events?limit=5");
    let (status, listed) = answer(operator).await;
    assert_eq!((status, &listed["items"][0]["arrived"]), (StatusCode::OK, &json!([2])));
    suite.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_need_the_ops_scope() {
    let suite = Suite::start().await;
    let id = Uuid::now_v7();
    for (method, path) in [
        (Method::GET, "/groups".to_owned()),
        (Method::GET, format!("/{id}")),
        (Method::PUT, format!("/{id}/data")),
        (Method::POST, format!("/{id}/dry-run")),
        (Method::POST, format!("/{id}/redrive")),
        (Method::POST, format!("/{id}/discard")),
        (Method::POST, format!("/{id}/declare-lost")),
        (Method::POST, "/redrive".to_owned()),
        (Method::POST, "/discard".to_owned()),
    ] {
        let path = format!("/v1/dead-letters{path}");
        let is_declaration = path.ends_with("/declare-lost");
        let declaration = json!({"first": 1, "last": 1, "reason": "why"});
        let body = if is_declaration { declaration } else { json!({}) };
        let with = |request: reqwest::RequestBuilder| request.json(&body);
        let (status, _) = answer(with(suite.request(method.clone(), &path))).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}");
        let (status, _) = answer(with(suite.as_unauthorized(method.clone(), &path))).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    suite.finish(0).await;
}
