//! Each endpoint: valid, invalid and forbidden requests.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service_testkit::answer;
use uuid::Uuid;

use crate::suite::{Suite, placed};

/// Status and code of a problem.
fn code((status, body): (StatusCode, Value)) -> (u16, String) {
    (status.as_u16(), body["code"].as_str().unwrap_or_default().to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_reading_stock_is_public() {
    let suite = Suite::stocked(&[("A", 5)]).await;
    let level = json!({"on_hand": 1});
    let order = format!("/v1/reservations/{}", Uuid::now_v7());
    let warehouse = format!("/v1/warehouses/{}", Uuid::now_v7());
    let calls = [
        (Method::PUT, "/v1/stock/A", Some(level)),
        (Method::POST, "/v1/stock", Some(json!([{"sku": "A", "on_hand": 1}]))),
        (Method::POST, "/v1/stock/A/adjustments", Some(json!({"delta": 1, "reason": "found"}))),
        (Method::GET, "/v1/stock/A/ledger", None),
        (Method::GET, order.as_str(), None),
        (Method::GET, "/v1/warehouses", None),
        (Method::POST, "/v1/warehouses", Some(json!({"name": "X"}))),
        (Method::PUT, warehouse.as_str(), Some(json!({"name": "X"}))),
        (Method::GET, "/v1/dead-letters", None),
    ];
    for (method, path, body) in calls {
        let with = |request: reqwest::RequestBuilder| match &body {
            Some(body) => request.json(body),
            None => request,
        };
        let unsigned = answer(with(suite.request(method.clone(), path))).await;
        assert_eq!(code(unsigned), refused(401, "unauthorized"), "{method} {path}");
        let forbidden = answer(with(suite.as_unauthorized(method.clone(), path))).await;
        assert_eq!(code(forbidden), refused(403, "insufficient_scope"), "{method} {path}");
    }
    assert_eq!(suite.levels("A").await, (5, 0, 5));
    let (status, dead_letters) = answer(suite.as_operator(Method::GET, "/v1/dead-letters")).await;
    assert_eq!((status, &dead_letters["pending"]), (StatusCode::OK, &json!(0)));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_is_read_and_set() {
    let suite = Suite::stocked(&[("A", 5)]).await;
    let response = suite.as_clerk(Method::GET, "/v1/stock/A").send().await.unwrap();
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let stock: Value = response.json().await.unwrap();
    let main = "01900000-0000-7000-8000-000000000001";
    let warehouse = json!({"warehouse_id": main, "on_hand": 5, "reserved": 0, "available": 5});
    let expected = json!({
        "sku": "A", "version": 2, "on_hand": 5, "reserved": 0, "available": 5, "low_stock_threshold": 5, "withdrawn": false, "warehouses": [warehouse],
    });
    assert_eq!(stock, expected);

    // In which warehouse the pieces are is not public.
    let mut public = stock.clone();
    public.as_object_mut().unwrap().remove("warehouses");
    for request in [
        suite.request(Method::GET, "/v1/stock/A"),
        suite.as_unauthorized(Method::GET, "/v1/stock/A"),
    ] {
        assert_eq!(answer(request).await.1, public);
    }

    let put = |tag: &str, body: Value| {
        suite.as_clerk(Method::PUT, "/v1/stock/A").header("if-match", tag).json(&body)
    };
    let (status, stock) = answer(put(&tag, json!({"on_hand": 7, "warehouse_id": main}))).await;
    assert_eq!((status, &stock["on_hand"]), (StatusCode::OK, &json!(7)));
    let stale = answer(put(&tag, json!({"on_hand": 8}))).await;
    assert_eq!(code(stale), refused(412, "precondition_failed"));

    // Setting the same level is no movement.
    assert_eq!(
        suite.put("/v1/stock/A", json!({"on_hand": 7})).await.1["version"],
        stock["version"]
    );

    let order = placed(&[("A", 3)]);
    suite.order.publish(&order).await;
    suite.reserved.wait(1, |_| true).await;
    assert_eq!(
        code(suite.put("/v1/stock/A", json!({"on_hand": 2})).await),
        refused(409, "below_reserved")
    );
    assert_eq!(suite.put("/v1/stock/A", json!({"on_hand": 3})).await.1["available"], 0);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_requests_are_refused() {
    let suite = Suite::stocked(&[("A", 5)]).await;
    let unknown = Uuid::now_v7();
    let puts = [
        ("/v1/stock/NEVER", json!({"on_hand": 1}), refused(404, "not_found")),
        ("/v1/stock/a%20b", json!({"on_hand": 1}), refused(400, "invalid_path")),
        ("/v1/stock/A", json!({"on_hand": -1}), refused(422, "validation_failed")),
        ("/v1/stock/A", json!({"on_hand": 1_000_000_001_i64}), refused(422, "validation_failed")),
        ("/v1/stock/A", json!({"on_hand": 1.5}), refused(422, "invalid_body")),
        ("/v1/stock/A", json!({"on_hand": 1, "colour": "red"}), refused(422, "invalid_body")),
        (
            "/v1/stock/A",
            json!({"on_hand": 1, "warehouse_id": unknown}),
            refused(422, "validation_failed"),
        ),
        ("/v1/stock/A", json!({}), refused(422, "invalid_body")),
    ];
    for (path, body, expected) in puts {
        assert_eq!(code(suite.put(path, body.clone()).await), expected, "PUT {path} {body}");
    }
    let adjustments = "/v1/stock/A/adjustments";
    let long = "x".repeat(201);
    let posts = [
        (
            "/v1/stock/NEVER/adjustments",
            json!({"delta": 1, "reason": "found"}),
            refused(404, "not_found"),
        ),
        (adjustments, json!({"delta": 0, "reason": "found"}), refused(422, "validation_failed")),
        (adjustments, json!({"delta": 1, "reason": " "}), refused(422, "validation_failed")),
        (adjustments, json!({"delta": 1, "reason": long}), refused(422, "validation_failed")),
        (adjustments, json!({"delta": 1, "reason": "a\u{0}b"}), refused(422, "validation_failed")),
        (adjustments, json!({"delta": 1}), refused(422, "invalid_body")),
        (adjustments, json!({"delta": -6, "reason": "lost"}), refused(409, "insufficient_stock")),
        (
            adjustments,
            json!({"delta": 1_000_000_000, "reason": "found"}),
            refused(409, "too_many_pieces"),
        ),
        ("/v1/stock", json!([]), refused(422, "validation_failed")),
        ("/v1/stock", json!({"sku": "A"}), refused(422, "invalid_body")),
        ("/v1/warehouses", json!({"name": ""}), refused(422, "validation_failed")),
        ("/v1/warehouses", json!({"name": "Main warehouse"}), refused(409, "warehouse_name_taken")),
    ];
    for (path, body, expected) in posts {
        assert_eq!(code(suite.post(path, body.clone()).await), expected, "POST {path} {body}");
    }
    for path in
        ["/v1/stock/NEVER", "/v1/stock/NEVER/ledger", &format!("/v1/reservations/{unknown}")]
    {
        assert_eq!(code(suite.get(path).await), refused(404, "not_found"), "GET {path}");
    }
    for path in
        ["/v1/stock/A/ledger?limit=0", "/v1/stock/A/ledger?cursor=!", "/v1/warehouses?colour=red"]
    {
        assert_eq!(code(suite.get(path).await), refused(400, "invalid_query"), "GET {path}");
    }
    assert_eq!(code(suite.get("/v1/reservations/7").await), refused(400, "invalid_path"));
    assert_eq!(suite.levels("A").await, (5, 0, 5));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn adjustment_with_a_key_takes_effect_once() {
    let suite = Suite::stocked(&[("A", 5)]).await;
    let adjust = |key: &str, delta: i64| {
        let body = json!({"delta": delta, "reason": "damaged in transit"});
        suite
            .as_clerk(Method::POST, "/v1/stock/A/adjustments")
            .header("idempotency-key", key)
            .json(&body)
    };
    let (first, again) = tokio::join!(answer(adjust("k1", -2)), answer(adjust("k1", -2)));
    assert_eq!(first, again);
    assert_eq!((first.0, &first.1["on_hand"]), (StatusCode::CREATED, &json!(3)));
    assert_eq!(code(answer(adjust("k1", -1)).await), refused(422, "idempotency_key_reused"));
    assert_eq!(answer(adjust("k2", -2)).await.1["on_hand"], 1);
    assert_eq!(suite.levels("A").await, (1, 0, 1));

    // A refusal does not use up the key.
    assert_eq!(code(answer(adjust("k3", -2)).await), refused(409, "insufficient_stock"));
    assert_eq!(suite.put("/v1/stock/A", json!({"on_hand": 2})).await.0, StatusCode::OK);
    assert_eq!(answer(adjust("k3", -2)).await.1["on_hand"], 0);

    let (_, ledger) = suite.get("/v1/stock/A/ledger").await;
    let entry = &ledger["items"][0];
    assert_eq!((&entry["kind"], &entry["on_hand_delta"]), (&json!("adjusted"), &json!(-2)));
    assert_eq!(
        (&entry["actor"], &entry["reason"]),
        (&json!("clerk"), &json!("damaged in transit"))
    );
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ledger_is_read_page_by_page() {
    let suite = Suite::stocked(&[("A", 1)]).await;
    for on_hand in 2..=5 {
        suite.put("/v1/stock/A", json!({"on_hand": on_hand})).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/stock/A/ledger?limit=2".to_owned());
    loop {
        let (status, page) = suite.get(&path).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|entry| entry["on_hand_after"].as_i64().unwrap()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/stock/A/ledger?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_sets_many_levels_with_a_result_per_line() {
    let suite = Suite::stocked(&[("A", 5), ("B", 5), ("C", 5)]).await;
    suite.order.publish(&placed(&[("B", 4)])).await;
    suite.reserved.wait(1, |_| true).await;
    let lines = json!([
        {"sku": "A", "on_hand": 50},
        {"sku": "B", "on_hand": 3},
        {"sku": "C", "on_hand": 5},
        {"sku": "NEVER", "on_hand": 5},
        {"sku": "键盘", "on_hand": 5},
        {"sku": "A", "on_hand": 51},
        {"sku": "C", "on_hand": -1},
        {"sku": "C", "on_hand": 5, "warehouse_id": Uuid::now_v7()},
    ]);
    let (status, results) = suite.post("/v1/stock", lines).await;
    assert_eq!(status, StatusCode::OK, "{results}");
    let items = results["items"].as_array().unwrap().iter();
    let items: Vec<(&str, &str)> = items
        .map(|item| (item["status"].as_str().unwrap(), item["code"].as_str().unwrap_or_default()))
        .collect();
    let expected = [
        ("set", ""),
        ("refused", "below_reserved"),
        ("unchanged", ""),
        ("refused", "unknown_sku"),
        ("refused", "invalid_sku"),
        ("refused", "repeated"),
        ("refused", "out_of_range"),
        ("refused", "unknown_warehouse"),
    ];
    assert_eq!(items, expected);
    assert_eq!((&results["accepted"], &results["refused"]), (&json!(2), &json!(6)));
    assert_eq!((suite.levels("A").await, suite.levels("B").await), ((50, 0, 50), (5, 4, 1)));
    let many: Vec<Value> = (0..1001).map(|_| json!({"sku": "A", "on_hand": 1})).collect();
    assert_eq!(code(suite.post("/v1/stock", json!(many)).await), refused(422, "validation_failed"));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn warehouses_are_created_once_and_listed() {
    let suite = Suite::stocked(&[("A", 5)]).await;
    let create = |key: &str, name: &str| {
        let request = suite.as_clerk(Method::POST, "/v1/warehouses").header("idempotency-key", key);
        request.json(&json!({"name": name}))
    };
    let first = answer(create("k1", "杭州仓")).await;
    assert_eq!(first.0, StatusCode::CREATED, "{}", first.1);
    assert_eq!(answer(create("k1", "杭州仓")).await, first);
    assert_eq!(code(answer(create("k1", "Other")).await), refused(422, "idempotency_key_reused"));
    assert_eq!(code(answer(create("k2", "杭州仓")).await), refused(409, "warehouse_name_taken"));
    let (_, list) = suite.get("/v1/warehouses").await;
    let names: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Main warehouse", "杭州仓"]);
    assert_eq!(list["items"][0]["default"], true);

    let id = first.1["id"].as_str().unwrap();
    let (_, stock) = suite.put("/v1/stock/A", json!({"on_hand": 2, "warehouse_id": id})).await;
    assert_eq!(
        (&stock["on_hand"], &stock["warehouses"][1]["warehouse_id"]),
        (&json!(7), &json!(id))
    );
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn warehouses_are_changed_and_bad_ones_refused() {
    let suite = Suite::start().await;
    let body = json!({"name": "杭州仓", "priority": 3, "region": "cn-浙江省"});
    let (status, created) = suite.post("/v1/warehouses", body).await;
    assert_eq!(
        (status, &created["priority"], &created["region"]),
        (StatusCode::CREATED, &json!(3), &json!("CN-浙江省"))
    );
    let path = format!("/v1/warehouses/{}", created["id"].as_str().unwrap());
    let (status, changed) = suite.put(&path, json!({"name": "Hangzhou", "priority": -1})).await;
    assert_eq!(
        (status, &changed["name"], &changed["priority"], changed.get("region")),
        (StatusCode::OK, &json!("Hangzhou"), &json!(-1), None)
    );
    let (_, list) = suite.get("/v1/warehouses").await;
    assert_eq!(list["items"][1], changed);

    let taken = suite.put(&path, json!({"name": "Main warehouse"})).await;
    assert_eq!(code(taken), refused(409, "warehouse_name_taken"));
    let unknown = format!("/v1/warehouses/{}", Uuid::now_v7());
    let unknown = suite.put(&unknown, json!({"name": "Nowhere"})).await;
    assert_eq!(code(unknown), refused(404, "not_found"));
    for field in ["name", "priority", "region"] {
        let mut body = json!({"name": "x", "priority": 0, "region": "CN"});
        body[field] = json!({"name": " ", "priority": 1_000_001, "region": "Mars"})[field].clone();
        for (status, problem) in
            [suite.post("/v1/warehouses", body.clone()).await, suite.put(&path, body).await]
        {
            let fields = &problem["errors"][0]["field"];
            assert_eq!((status, fields), (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)));
        }
    }
    suite.finish(0).await;
}
