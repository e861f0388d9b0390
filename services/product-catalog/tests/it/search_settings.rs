//! Synonyms and merchandising rules: edited here, published as events.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;

use crate::suite::{Suite, keyboard, problem_of};

/// Sends a request that must be answered with this status.
async fn sent(request: RequestBuilder, status: u16) -> Value {
    let response = request.send().await.unwrap();
    let found = response.status().as_u16();
    let body = response.text().await.unwrap();
    assert_eq!(found, status, "{body}");
    if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() }
}

/// Waits until `found` returns a value.
async fn eventually<T>(what: &str, found: impl Fn() -> Option<T>) -> T {
    wait_for(what, LONGEST_WAIT, async || found().ok_or("not yet")).await.unwrap()
}

async fn wait_for_seed(suite: &Suite) {
    eventually("the first synonyms are published", || suite.synonyms.all().into_iter().next())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn first_synonyms_are_published_once_and_editable() {
    let mut suite = Suite::start().await;
    wait_for_seed(&suite).await;
    let seed = suite.get("/v1/synonyms").await;
    assert_eq!(seed["version"], 1);
    let items = seed["items"].as_array().unwrap();
    assert!(items.len() >= 60, "{}", items.len());
    for entry in [
        json!({"words": ["书包", "双肩包", "背包", "backpack"]}),
        json!({"from": ["phone", "smartphone", "cell phone"], "to": ["手机"]}),
    ] {
        assert!(items.contains(&entry), "{entry}");
    }
    // The seed follows the rules for all lists.
    let put = || suite.request(Method::PUT, "/v1/synonyms");
    assert_eq!(sent(put().json(&json!({"items": items})), 200).await["version"], 1);
    let empty = sent(put().json(&json!({"items": []})), 200).await;
    assert_eq!((&empty["version"], &empty["items"]), (&json!(2), &json!([])));

    suite.restart_catalogue().await;
    assert_eq!(suite.get("/v1/synonyms").await["items"], json!([]));
    suite.settled().await;
    let versions: Vec<i64> = suite.synonyms.all().iter().map(|event| event.version.get()).collect();
    assert_eq!(versions, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn synonyms_are_replaced_if_the_version_matches() {
    let suite = Suite::start().await;
    wait_for_seed(&suite).await;
    let put = |version: &str, body: Value| {
        let request = suite.request(Method::PUT, "/v1/synonyms");
        request.header("If-Match", format!("\"{version}\"")).json(&body)
    };
    let body = json!({"items": [{"words": ["书包", " 双肩包 "]}, {"from": ["笔记本"], "to": ["笔记本电脑"]}]});
    let response = put("1", body.clone()).send().await.unwrap();
    assert_eq!(response.headers()["etag"], "\"2\"");
    let stale = put("1", body).send().await.unwrap();
    assert_eq!(problem_of(stale).await.1, "precondition_failed");
    let list = suite.get("/v1/synonyms").await;
    assert_eq!(list["items"][0], json!({"words": ["书包", "双肩包"]}));

    for (body, code, field) in [
        (json!({"items": [{"words": ["a"]}]}), "validation_failed", "items[0].words"),
        (json!({"items": [{"words": ["a", "b"], "to": ["c"]}]}), "validation_failed", "items[0]"),
        (json!({"items": [{"word": ["a"]}]}), "invalid_body", "items[0].word"),
        (json!({"items": 7}), "invalid_body", "items"),
    ] {
        let refused = put("2", body).send().await.unwrap();
        assert_eq!(problem_of(refused).await, (422, code.to_owned(), vec![field.to_owned()]));
    }
    suite.settled().await;
    assert_eq!(suite.synonyms.all().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_created_replaced_and_deleted() {
    let suite = Suite::start().await;
    wait_for_seed(&suite).await;
    let (product, _) = suite.create(&keyboard("K-1")).await;
    let id = &product["id"];
    let pin = json!({
        "action": "pin", "where": {"query": "键盘"}, "products": [id], "position": 2,
        "starts_at": "2026-11-29T00:00:00Z", "ends_at": "2026-12-24T00:00:00Z",
    });
    let create = || suite.request(Method::POST, "/v1/rules").header("Idempotency-Key", "k");
    let response = create().json(&pin).send().await.unwrap();
    let (etag, path) = (response.headers()["etag"].clone(), response.headers()["location"].clone());
    let path = path.to_str().unwrap();
    let created: Value = response.json().await.unwrap();
    assert_eq!((etag.to_str().unwrap(), &created["version"]), ("\"1\"", &json!(1)));
    for field in ["action", "where", "products", "position", "starts_at", "ends_at"] {
        assert_eq!(created[field], pin[field], "{field}");
    }
    assert_eq!(sent(create().json(&pin), 201).await["id"], created["id"]);
    assert_eq!(suite.get(path).await, created);

    let boost = json!({"action": "boost", "where": "everywhere", "products": {"brand": "Keys"}});
    let put = |version: &str| {
        let request = suite.request(Method::PUT, path).header("If-Match", version.to_owned());
        request.json(&boost)
    };
    let replaced = sent(put("\"1\""), 200).await;
    assert_eq!((&replaced["version"], &replaced["factor"]), (&json!(2), &json!(2.0)));
    assert_eq!(replaced.get("position"), None);
    assert_eq!(problem_of(put("\"1\"").send().await.unwrap()).await.0, 412);
    // Equal content creates no version.
    assert_eq!(sent(put("*"), 200).await["version"], 2);
    assert_eq!(suite.get("/v1/rules").await["items"], json!([replaced]));

    let stale = suite.request(Method::DELETE, path).header("If-Match", "\"1\"");
    assert_eq!(problem_of(stale.send().await.unwrap()).await.1, "precondition_failed");
    sent(suite.request(Method::DELETE, path), 204).await;
    for gone in [suite.anonymous(Method::GET, path), suite.request(Method::DELETE, path)] {
        assert_eq!(problem_of(gone.send().await.unwrap()).await.1, "not_found");
    }
    assert_eq!(suite.get("/v1/rules").await["items"], json!([]));
    suite.settled().await;
    let versions: Vec<i64> = suite.rules.all().iter().map(|event| event.version.get()).collect();
    assert_eq!(versions, [1, 2]);
    assert_eq!(suite.removed_rules.all()[0].version.get(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_rules_are_refused() {
    let suite = Suite::start().await;
    wait_for_seed(&suite).await;
    let unknown = "01920000-0000-7000-8000-000000000001";
    let rule = |changes: Value| {
        let mut rule =
            json!({"action": "hide", "where": {"query": "键盘"}, "products": {"brand": "Keys"}});
        let changes = changes.as_object().unwrap().clone();
        rule.as_object_mut().unwrap().extend(changes);
        rule
    };
    for (changes, code, field) in [
        (json!({"products": [unknown]}), "validation_failed", "products[0]"),
        (json!({"products": []}), "validation_failed", "products"),
        (json!({"action": "pin"}), "validation_failed", "products"),
        (json!({"where": {"query": " "}}), "validation_failed", "where.query"),
        (json!({"position": 1}), "validation_failed", "position"),
        (json!({"action": "boost", "factor": 1000}), "validation_failed", "factor"),
        (json!({"action": "remove"}), "invalid_body", "action"),
        (json!({"where": "nowhere"}), "invalid_body", "where"),
        (json!({"products": {"brand": "a", "category": "b"}}), "invalid_body", "products"),
        (json!({"colour": "red"}), "invalid_body", "colour"),
    ] {
        let request = suite.request(Method::POST, "/v1/rules").json(&rule(changes));
        let refused = problem_of(request.send().await.unwrap()).await;
        assert_eq!(refused, (422, code.to_owned(), vec![field.to_owned()]));
    }
    let path = format!("/v1/rules/{unknown}");
    let missing = suite.request(Method::PUT, &path).json(&rule(json!({})));
    assert_eq!(problem_of(missing.send().await.unwrap()).await.0, 404);
    let wrong = suite.anonymous(Method::GET, "/v1/rules?limit=0").send().await.unwrap();
    assert_eq!(problem_of(wrong).await.1, "invalid_query");
    suite.settled().await;
    assert!(suite.rules.all().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_has_synonyms_and_all_rules() {
    let suite = Suite::start().await;
    wait_for_seed(&suite).await;
    let rule = json!({"action": "hide", "where": "everywhere", "products": {"brand": "Keys"}});
    let mut ids = Vec::new();
    for _ in 0..3 {
        let created = suite.request(Method::POST, "/v1/rules").json(&rule);
        ids.push(sent(created, 201).await["id"].as_str().unwrap().to_owned());
    }
    sent(suite.request(Method::DELETE, &format!("/v1/rules/{}", ids[0])), 204).await;
    let first = suite.get("/v1/snapshots/search?limit=2").await;
    let next = first["next"].as_str().unwrap();
    let second = suite.get(&format!("/v1/snapshots/search?limit=2&after={next}")).await;
    assert_eq!(second["next"], Value::Null);
    let pages = [&first, &second].into_iter();
    let entries: Vec<(&str, i64, &str)> = pages
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|item| {
            let text = |name: &str| item[name].as_str().unwrap();
            (text("key"), item["sequence"].as_i64().unwrap(), text("kind"))
        })
        .collect();
    let (changed, removed) = ("search.rule_changed.v1", "search.rule_removed.v1");
    let expected = [
        (ids[0].as_str(), 2, removed),
        (ids[1].as_str(), 1, changed),
        (ids[2].as_str(), 1, changed),
        ("synonyms", 1, "search.synonyms_changed.v1"),
    ];
    assert_eq!(entries, expected);
    suite.settled().await;
}
