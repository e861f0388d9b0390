//! Which events count: purchases, bots, repeated and invented ones, and what a change of the rules does.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use runtime::clock;
use serde_json::{Value, json};
use service_testkit::{LONGEST_WAIT, answer};
use testkit::wait_for;
use vocabulary::{CustomerId, ProductId};

use crate::suite::{Suite, event, order_confirmed, signature, view};

/// A view without a signature.
fn unsigned(visitor: &str, product: ProductId) -> Value {
    let mut event = view(visitor, product);
    event.as_object_mut().unwrap().remove("visitor_signature");
    event
}

/// Views of one visitor with the pauses of a person, the last one now.
fn browsing(count: i64, one: impl Fn() -> Value) -> Vec<Value> {
    let at =
        |number: i64| clock::now() - TimeDelta::seconds((count - number) * 40 + number % 3 * 7);
    let event = |number: i64| {
        let mut event = one();
        event["occurred_at"] = json!(at(number));
        event
    };
    (0..count).map(event).collect()
}

fn counts(pairs: &[(&str, i64)]) -> BTreeMap<String, i64> {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

async fn put_rules(suite: &Suite, change: impl FnOnce(&mut Value)) -> (StatusCode, Value) {
    let (_, current) = suite.get("/v1/event-rules").await;
    let mut rules = current["rules"].clone();
    change(&mut rules);
    answer(suite.as_operator(Method::PUT, "/v1/event-rules").json(&rules)).await
}

/// Waits until the products in demand have these scores, in views.
async fn wait_for_demand(suite: &Suite, expected: &[(ProductId, f64)]) {
    wait_for(&format!("the demand is {expected:?}"), LONGEST_WAIT, async || {
        let (_, list) = suite.get("/v1/trending?window=day").await;
        let items = list["items"].as_array().unwrap();
        let is_equal = |(item, (product, score)): (&Value, &(ProductId, f64))| {
            let difference = item["score"].as_f64().unwrap() - score;
            item["product_id"] == json!(product) && difference.abs() < 0.03 * score
        };
        let all = items.len() == expected.len() && items.iter().zip(expected).all(is_equal);
        if all { Ok(()) } else { Err(list) }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_people_are_more_than_one() {
    let suite = Suite::start().await;
    let (a, b) = (suite.stocked_product("A", "x").await, suite.stocked_product("B", "x").await);
    let people: Vec<Value> = (0..8).map(|n| unsigned(&format!("v{n}"), a)).collect();
    let reloads = browsing(60, || unsigned("reloads", b));
    suite.send(&[people, reloads].concat()).await;
    suite.wait_until_received(68).await;
    assert_eq!(suite.verdicts().await, counts(&[("counted", 9), ("repeated", 59)]));
    wait_for_demand(&suite, &[(a, 2.0), (b, 0.25)]).await;
    // All of them were visits.
    let (_, sessions) = suite.get("/v1/sessions").await;
    assert_eq!((&sessions["visitors"], &sessions["events"]), (&json!(9), &json!(68)));
    let (_, top) = suite.get("/v1/reports/top-products").await;
    let views: Vec<&Value> =
        top["items"].as_array().unwrap().iter().map(|row| &row["views"]).collect();
    assert_eq!(views, [8, 1]);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_confirmed_orders_are_purchases() {
    let suite = Suite::start().await;
    let (a, b) = (suite.stocked_product("A", "x").await, suite.stocked_product("B", "x").await);
    suite.send(&[event("order_completed", "v", a), event("checkout_started", "v", a)]).await;
    suite.wait_until_received(2).await;
    let customer = CustomerId::new();
    suite.order.publish(&order_confirmed(customer, &[b])).await;
    wait_for_demand(&suite, &[(b, 10.0)]).await;
    let (_, top) = suite.get("/v1/reports/top-products").await;
    let bought = json!([{"product_id": b, "views": 0, "clicks": 0, "carts": 0, "orders": 1}]);
    assert_eq!(top["items"], bought);
    // The event is a step of the funnel nevertheless.
    assert_eq!(suite.verdicts().await, counts(&[("counted", 2)]));
    let (_, sessions) = suite.get("/v1/sessions").await;
    assert_eq!(sessions["events"], 2);
    suite.popularity.wait_one(|event| event.product_id == b && event.score > 9.0).await;
    assert!(suite.popularity.all().iter().all(|event| event.product_id == b));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invented_visitors_of_an_address_are_bounded() {
    let suite = Suite::start().await;
    let product = suite.stocked_product("A", "x").await;
    for request in 0..10 {
        let name = |n: i32| format!("invented-{request}-{n}");
        let events: Vec<Value> = (0..1_000).map(|n| unsigned(&name(n), product)).collect();
        suite.send(&events).await;
    }
    let row = suite.wait_until_received(10_000).await;
    assert_eq!((&row["kept"], &row["dropped"]), (&json!(10_000), &json!(0)));
    let verdicts = suite.verdicts().await;
    assert_eq!(verdicts, counts(&[("address_visitors", 9_900), ("counted", 100)]));
    wait_for_demand(&suite, &[(product, 25.0)]).await;
    let (_, sessions) = suite.get("/v1/sessions").await;
    assert_eq!(sessions["visitors"], 100);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bots_are_excluded_and_kept() {
    let suite = Suite::start().await;
    let product = suite.stocked_product("A", "x").await;
    let send = async |agent: &'static str, event: Value| {
        let request = suite.request(Method::POST, "/v1/events").header("user-agent", agent);
        assert_eq!(answer(request.json(&event)).await.1["accepted"], 1);
    };
    send("Mozilla/5.0 (compatible; Googlebot/2.1; +http://example.org)", view("g", product)).await;
    send("Mozilla/5.0 Firefox/140.0", view("person", product)).await;
    send("price-watcher 1.0", view("w", product)).await;
    // Without pauses, and then too many within a minute.
    let quick: Vec<Value> = (0..100).map(|_| view("quick", product)).collect();
    suite.send(&quick).await;
    let rate: Vec<Value> = (0..61).map(|_| event("searched", "rate", product)).collect();
    let rate: Vec<Value> = rate
        .into_iter()
        .map(|mut event| {
            event.as_object_mut().unwrap().remove("product_id");
            event
        })
        .collect();
    suite.send(&rate).await;
    suite.wait_until_received(164).await;
    let expected = counts(&[
        ("counted", 63),
        ("known_agent", 1),
        ("minute_rate", 41),
        ("pauses", 46),
        ("repeated", 13),
    ]);
    assert_eq!(suite.verdicts().await, expected);
    wait_for_demand(&suite, &[(product, 3.0)]).await;

    // Another known agent: the stored event of it no longer counts.
    let (status, answer) =
        put_rules(&suite, |rules| rules["known_agents"] = json!(["bot/", "price-watcher"])).await;
    assert_eq!((status, &answer["version"]), (StatusCode::OK, &json!(2)), "{answer}");
    suite.wait_until_recounted().await;
    assert_eq!(suite.verdicts().await["known_agent"], 2);
    wait_for_demand(&suite, &[(product, 2.0)]).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_rules_recount_stored_and_later_events() {
    let mut suite = Suite::start().await;
    let (a, b) = (suite.stocked_product("A", "x").await, suite.stocked_product("B", "x").await);
    suite.send(&browsing(10, || unsigned("one", a))).await;
    suite.send(&[view("signed", b)]).await;
    suite.wait_until_received(11).await;
    wait_for_demand(&suite, &[(b, 1.0), (a, 0.25)]).await;
    let before = suite.verdicts().await;
    assert_eq!(before, counts(&[("counted", 2), ("repeated", 9)]));

    let (status, changed) = put_rules(&suite, |rules| {
        rules["max_per_visitor_product"] = json!(4);
        rules["unsigned_weight"] = json!(0.5);
    })
    .await;
    assert_eq!((status, &changed["version"]), (StatusCode::OK, &json!(2)), "{changed}");
    suite.wait_until_recounted().await;
    assert_eq!(suite.verdicts().await, counts(&[("counted", 5), ("repeated", 6)]));
    wait_for_demand(&suite, &[(a, 2.0), (b, 1.0)]).await;
    // Later events of the visitor are bounded as well, and a new process knows it.
    suite.restart().await;
    suite.send(&browsing(2, || unsigned("one", a))).await;
    suite.wait_until_received(13).await;
    assert_eq!(suite.verdicts().await, counts(&[("counted", 5), ("repeated", 8)]));
    wait_for_demand(&suite, &[(a, 2.0), (b, 1.0)]).await;

    // The former rules give the former verdicts.
    put_rules(&suite, |rules| {
        rules["max_per_visitor_product"] = json!(1);
        rules["unsigned_weight"] = json!(0.25);
    })
    .await;
    suite.wait_until_recounted().await;
    assert_eq!(suite.verdicts().await, counts(&[("counted", 2), ("repeated", 11)]));
    wait_for_demand(&suite, &[(b, 1.0), (a, 0.25)]).await;
    let row = suite.conservation().await;
    assert_eq!((&row["kept"], &row["holds"]), (&json!(13), &json!(true)));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_need_scopes_and_have_bounds() {
    let suite = Suite::start().await;
    let put = suite.as_analyst(Method::PUT, "/v1/event-rules").json(&json!({}));
    assert_eq!(answer(put).await.0, StatusCode::FORBIDDEN);
    let (status, problem) = put_rules(&suite, |rules| {
        rules["unsigned_weight"] = json!(1.5);
        rules["pause_events"] = json!(2);
    })
    .await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("validation_failed"))
    );
    let fields: Vec<&Value> =
        problem["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["pause_events", "unsigned_weight"]);
    for (field, value) in [("max_per_day", json!(-1)), ("colour", json!("red"))] {
        let (status, problem) = put_rules(&suite, |rules| rules[field] = value).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("invalid_body")), "{problem}");
    }
    suite.wait_until_recounted().await;
    assert_eq!(suite.get("/v1/event-rules").await.1["version"], 1);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_an_older_program_are_recounted() {
    let suite = Suite::start().await;
    let product = suite.stocked_product("A", "x").await;
    suite.send(&browsing(4, || unsigned("v", product))).await;
    suite.wait_until_received(4).await;
    suite.wait_until_recounted().await;
    // As after the migration: every event counts fully.
    let migrated = "update user_event set verdict = default, weight = default;
        update event_rules set recounted_version = 0";
    sqlx::raw_sql(migrated).execute(&suite.pool).await.unwrap();
    suite.wait_until_recounted().await;
    assert_eq!(suite.verdicts().await, counts(&[("counted", 1), ("repeated", 3)]));
    wait_for_demand(&suite, &[(product, 0.25)]).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_continues_the_verdicts_of_the_first() {
    let mut suite = Suite::start().await;
    let product = suite.stocked_product("A", "x").await;
    for received in 1..=3 {
        suite.send(&browsing(1, || view("v", product))).await;
        suite.wait_until_received(received).await;
        suite.restart().await;
    }
    assert_eq!(suite.verdicts().await, counts(&[("counted", 1), ("repeated", 2)]));
    wait_for_demand(&suite, &[(product, 1.0)]).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_of_an_earlier_day_counts_once() {
    let suite = Suite::start().await;
    let product = suite.stocked_product("A", "x").await;
    let sent = view("v", product);
    suite.send(std::slice::from_ref(&sent)).await;
    suite.wait_until_received(1).await;
    let earlier = "update user_event set received_at = received_at - interval '3 days'";
    sqlx::raw_sql(earlier).execute(&suite.pool).await.unwrap();
    suite.send(&[sent.clone(), sent]).await;
    let row = suite.wait_until_received(3).await;
    assert_eq!((&row["stored"], &row["duplicates"]), (&json!(1), &json!(2)));
    wait_for_demand(&suite, &[(product, 1.0)]).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_consent_an_event_has_no_identity() {
    let suite = Suite::start().await;
    let product = suite.stocked_product("A", "x").await;
    let mut refused = view("a-person", product);
    refused["consent"] = json!(false);
    refused["properties"] = json!({"note": "a-person"});
    let mut agreed = view("other", product);
    agreed["consent"] = json!(true);
    suite.send(&[refused, agreed]).await;
    suite.wait_until_received(2).await;
    assert_eq!(suite.verdicts().await, counts(&[("counted", 1), ("no_consent", 1)]));
    for personal in ["a-person", "127.0.0.1"] {
        let rows: i64 =
            sqlx::query_scalar("select count(*) from user_event u where u::text like $1")
                .bind(format!("%{personal}%"))
                .fetch_one(&suite.pool)
                .await
                .unwrap();
        assert_eq!(rows, 0, "{personal}");
    }
    wait_for_demand(&suite, &[(product, 1.0)]).await;
    let (_, sessions) = suite.get("/v1/sessions").await;
    assert_eq!(sessions["visitors"], 1);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_corrected_when_events_arrive() {
    let suite = Suite::start().await;
    let product = suite.stocked_product("A", "x").await;
    let sent = |visitor: &str, occurred_at: &str, sent_at: &str| {
        let mut event = view(visitor, product);
        (event["occurred_at"], event["sent_at"]) = (json!(occurred_at), json!(sent_at));
        event
    };
    suite
        .send(&[
            sent("slow", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            sent("fast", "2099-12-31T23:59:00Z", "2100-01-01T00:00:00Z"),
            sent("late", "2020-01-01T00:00:00Z", "2020-01-07T00:00:00Z"),
        ])
        .await;
    let (_, response) =
        suite.post_events(&sent("later", "2020-01-01T00:00:00Z", "2020-01-08T00:00:01Z")).await;
    assert_eq!(response["rejected"][0]["code"], "too_old", "{response}");
    suite.wait_until_received(3).await;
    for (visitor, minutes) in [("slow", 0), ("fast", 1), ("late", 6 * 24 * 60)] {
        let (occurred, received): (chrono::DateTime<Utc>, chrono::DateTime<Utc>) =
            sqlx::query_as("select occurred_at, received_at from user_event where visitor_id = $1")
                .bind(visitor)
                .fetch_one(&suite.pool)
                .await
                .unwrap();
        assert_eq!(received - occurred, TimeDelta::minutes(minutes), "{visitor}");
    }
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_visitor_counts_fully() {
    let suite = Suite::start().await;
    let (a, b) = (suite.stocked_product("A", "x").await, suite.stocked_product("B", "x").await);
    let (status, new) = answer(suite.request(Method::POST, "/v1/visitors")).await;
    assert_eq!(status, StatusCode::OK, "{new}");
    let visitor = new["visitor_id"].as_str().unwrap();
    assert_eq!(new["visitor_signature"], json!(signature(visitor)));
    let customer = CustomerId::new().to_string();
    let (_, own) = answer(suite.as_visitor(&customer, Method::POST, "/v1/visitors")).await;
    let expected = json!({"visitor_id": customer, "visitor_signature": signature(&customer)});
    assert_eq!(own, expected);
    let wrong = suite.request(Method::POST, "/v1/visitors").bearer_auth("x");
    assert_eq!(answer(wrong).await.0, StatusCode::UNAUTHORIZED);

    let mut forged = unsigned("forged", b);
    forged["visitor_signature"] = new["visitor_signature"].clone();
    suite.send(&[view(visitor, a), forged]).await;
    // A header serves for events that have no signature.
    let request = suite.request(Method::POST, "/v1/events").json(&unsigned(&customer, a));
    let response = request.header("visitor-signature", signature(&customer)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    wait_for_demand(&suite, &[(a, 2.0), (b, 0.25)]).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_is_served_for_any_page() {
    let suite = Suite::start().await;
    let response = suite.request(Method::GET, "/v1/script.js").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(response.headers()["cross-origin-resource-policy"], "cross-origin");
    let script = response.text().await.unwrap();
    assert!(script.len() < 3_000 && script.contains("sendBeacon"), "{script}");
    suite.finish(0).await;
}
