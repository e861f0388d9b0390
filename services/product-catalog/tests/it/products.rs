//! Writing and reading products.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::suite::{ReceivedEvent, Suite, change_of, id_of, keyboard, path_of, problem_of};

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_readable_and_published_in_order() {
    let suite = Suite::start().await;
    let response =
        suite.request(Method::POST, "/v1/products").json(&keyboard("K-1")).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["etag"]),
        (201, &"\"1\"".parse().unwrap())
    );
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let product: Value = response.json().await.unwrap();
    assert_eq!(location, path_of(&product));
    let mut expected = keyboard("K-1");
    for name in ["id", "version", "status", "created_at", "updated_at"] {
        expected[name] = product[name].clone();
    }
    assert_eq!(product, expected);
    assert_eq!((&product["version"], &product["status"]), (&json!(1), &json!("active")));
    assert_eq!(suite.get(&location).await, product);

    let mut changed = keyboard("K-2");
    changed["variants"].as_array_mut().unwrap().push(keyboard("K-3")["variants"][0].clone());
    let response = suite.request(Method::PUT, &location).json(&changed).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["etag"]),
        (200, &"\"2\"".parse().unwrap())
    );
    let response = suite.request(Method::DELETE, &location).send().await.unwrap();
    assert_eq!(response.status(), 204);
    assert!(!change_of(&response).is_empty());
    let gone = suite.anonymous(Method::GET, &location).send().await.unwrap();
    assert_eq!(problem_of(gone).await.1, "not_found");
    let again = suite.request(Method::DELETE, &location).send().await.unwrap();
    assert_eq!(again.status(), 404);
    // Its SKUs are free again.
    suite.create(&keyboard("K-2")).await;

    let product = id_of(&product);
    let received: Vec<ReceivedEvent> =
        suite.receive(4).await.into_iter().filter(|one| one.product == product).collect();
    let expected = [(1, false), (2, false), (3, true)];
    assert_eq!(
        received,
        expected.map(|(version, deleted)| ReceivedEvent { product, version, deleted })
    );
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn write_without_difference_creates_no_version() {
    let suite = Suite::start().await;
    let (product, _) = suite.create(&keyboard("K-1")).await;
    let url = path_of(&product);
    // Equal content: extra white space, and an explicit default.
    let mut same = keyboard("K-1");
    same["title"]["en"] = json!("  Mechanical keyboard ");
    same["status"] = json!("active");
    let replaced = suite.request(Method::PUT, &url).json(&same).send().await.unwrap();
    let patch =
        suite.request(Method::PATCH, &url).json(&json!({"brand": "Keys"})).send().await.unwrap();
    for response in [replaced, patch] {
        assert_eq!(
            (response.status().as_u16(), &response.headers()["etag"]),
            (200, &"\"1\"".parse().unwrap())
        );
        let change = suite.get(&format!("/v1/changes/{}", change_of(&response))).await;
        assert_eq!(change["version"], 1);
        assert_eq!(response.json::<Value>().await.unwrap(), product);
    }
    suite.settled().await;
    assert_eq!(suite.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_write_is_refused() {
    let suite = Suite::start().await;
    let (product, _) = suite.create(&keyboard("K-1")).await;
    let url = path_of(&product);
    let patch = |tag: &str, brand: &str| {
        suite
            .request(Method::PATCH, &url)
            .header("if-match", tag)
            .json(&json!({ "brand": brand }))
            .send()
    };
    assert_eq!(patch("\"1\"", "A").await.unwrap().status(), 200);
    assert_eq!(problem_of(patch("\"1\"", "B").await.unwrap()).await.1, "precondition_failed");
    let replace =
        suite.request(Method::PUT, &url).header("if-match", "\"1\"").json(&keyboard("K-1"));
    assert_eq!(replace.send().await.unwrap().status(), 412);
    let delete = suite.request(Method::DELETE, &url).header("if-match", "\"1\"");
    assert_eq!(delete.send().await.unwrap().status(), 412);
    assert_eq!(patch("*", "C").await.unwrap().status(), 200);
    // Of concurrent writes with the same If-Match, one succeeds.
    let writers = (0..8).map(|number| patch("\"3\"", if number % 2 == 0 { "D" } else { "E" }));
    let responses = join_all(writers).await;
    let statuses: Vec<u16> =
        responses.iter().map(|response| response.as_ref().unwrap().status().as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7, "{statuses:?}");
    suite.settled().await;
    assert_eq!(suite.get(&url).await["version"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn patch_changes_only_its_members() {
    let suite = Suite::start().await;
    let (product, _) = suite.create(&keyboard("K-1")).await;
    let url = path_of(&product);
    let patch = json!({"brand": null, "title": {"en": null}, "attributes": {"weight": null, "hot-swap": true}, "images": []});
    let response = suite
        .request(Method::PATCH, &url)
        .header("content-type", "application/merge-patch+json")
        .body(patch.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let patched: Value = response.json().await.unwrap();
    let mut expected = product.clone();
    expected["brand"] = Value::Null;
    expected["title"].as_object_mut().unwrap().remove("en");
    expected["attributes"] =
        json!({"hot-swap": true, "keys": 87, "layout": ["ansi", "iso"], "wireless": true});
    expected["images"] = json!([]);
    for name in ["version", "updated_at"] {
        expected[name] = patched[name].clone();
    }
    assert_eq!((&patched, &patched["version"]), (&expected, &json!(2)));

    let bad = [
        (json!({"title": null}), "invalid_body", ""),
        (json!({"title": {"zh": null}}), "validation_failed", "title"),
        (json!({"variants": []}), "validation_failed", "variants"),
        (json!({"version": 7}), "invalid_body", ""),
        (json!([1]), "invalid_body", ""),
    ];
    for (patch, code, field) in bad {
        let response = suite.request(Method::PATCH, &url).json(&patch).send().await.unwrap();
        let (status, found, fields) = problem_of(response).await;
        assert_eq!((status, found.as_str()), (422, code), "{patch}");
        if !field.is_empty() {
            assert_eq!(fields, [field], "{patch}");
        }
    }
    assert_eq!(suite.get(&url).await, patched);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn same_key_creates_one_product() {
    let suite = Suite::start().await;
    let post = |body: Value| {
        suite
            .request(Method::POST, "/v1/products")
            .header("idempotency-key", "once")
            .json(&body)
            .send()
    };
    let responses = join_all((0..6).map(|_| post(keyboard("K-1")))).await;
    let mut seen = Vec::new();
    for response in responses {
        let response = response.unwrap();
        assert_eq!(response.status(), 201);
        seen.push((
            change_of(&response),
            response.headers()["etag"].clone(),
            response.json::<Value>().await.unwrap(),
        ));
    }
    assert!(seen.iter().all(|one| one == &seen[0]), "{seen:?}");
    let other = post(keyboard("K-2")).await.unwrap();
    assert_eq!(problem_of(other).await.1, "idempotency_key_reused");
    suite.settled().await;
    assert_eq!(suite.received().len(), 1);
    assert_eq!(suite.get("/v1/products").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sku_belongs_to_one_product() {
    let suite = Suite::start().await;
    let (first, _) = suite.create(&keyboard("K-1")).await;
    let (second, _) = suite.create(&keyboard("K-2")).await;
    let post =
        suite.request(Method::POST, "/v1/products").json(&keyboard("K-1")).send().await.unwrap();
    assert_eq!(post.status(), 409);
    let problem: Value = post.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["skus"]), (&json!("sku_taken"), &json!(["K-1"])));
    let put =
        suite.request(Method::PUT, &path_of(&second)).json(&keyboard("K-1")).send().await.unwrap();
    assert_eq!(problem_of(put).await.1, "sku_taken");
    // A refused write changes nothing.
    assert_eq!(suite.get(&path_of(&second)).await, second);
    assert_eq!(suite.get("/v1/products?sku=K-1").await["items"], json!([first]));
    // Of concurrent claims of a new SKU, one succeeds.
    let body = keyboard("K-3");
    let posts = (0..6).map(|_| suite.request(Method::POST, "/v1/products").json(&body).send());
    let statuses: Vec<u16> = join_all(posts)
        .await
        .into_iter()
        .map(|response| response.unwrap().status().as_u16())
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 5, "{statuses:?}");
    suite.settled().await;
    assert_eq!(suite.received().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_products_are_refused_with_every_field() {
    let suite = Suite::start().await;
    let post = |body: String| {
        let request = suite.request(Method::POST, "/v1/products");
        request.header("content-type", "application/json").body(body).send()
    };
    let mut bad = keyboard("bad sku");
    bad["category"] = json!("a//b");
    bad["variants"][0]["price"]["amount"] = json!(-1);
    let (status, code, fields) = problem_of(post(bad.to_string()).await.unwrap()).await;
    assert_eq!((status, code.as_str()), (422, "validation_failed"));
    assert_eq!(fields, ["category", "variants[0].sku", "variants[0].price.amount"]);

    let with = |name: &str, value: Value| {
        let mut product = keyboard("K-1");
        product[name] = value;
        product.to_string()
    };
    let variant = |price: &str| keyboard("K-1").to_string().replace("12900", price);
    for (body, expected) in [
        ("{".to_owned(), (400, "malformed_json")),
        ("{\"title\":{\"en\":\"\u{0}\"}}".to_owned(), (400, "malformed_json")),
        (with("colour", json!("red")), (422, "invalid_body")),
        (with("id", json!("0199")), (422, "invalid_body")),
        (with("title", json!({"de": "Tastatur"})), (422, "invalid_body")),
        (with("title", json!({"en": "a\u{0}b"})), (422, "validation_failed")),
        (variant("99999999999999999999"), (422, "invalid_body")),
        (variant("9223372036854775807"), (422, "validation_failed")),
        (variant("1.5"), (422, "invalid_body")),
        (with("description", json!({"en": "x".repeat(300_000)})), (413, "body_too_large")),
    ] {
        let start: String = body.chars().take(200).collect();
        let (status, code, _) = problem_of(post(body).await.unwrap()).await;
        assert_eq!((status, code.as_str()), expected, "{start}");
    }
    assert_eq!(suite.get("/v1/products").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_and_paginated() {
    let suite = Suite::start().await;
    let mut ids = Vec::new();
    for number in 0..7 {
        let mut product = keyboard(&format!("K-{number}"));
        product["category"] = json!(["a/b", "a", "a/c", "ab", "a/b/d", "x", "a/b"][number]);
        product["brand"] = json!(if number < 3 { "One" } else { "Two" });
        product["status"] = json!(if number == 6 { "archived" } else { "active" });
        ids.push(suite.create(&product).await.0["id"].clone());
    }
    let list = async |query: &str| -> Vec<Value> {
        let page = suite.get(&format!("/v1/products?{query}")).await;
        assert_eq!(page["next_cursor"], Value::Null, "{query}");
        page["items"].as_array().unwrap().iter().map(|product| product["id"].clone()).collect()
    };
    let some =
        |places: &[usize]| places.iter().map(|place| ids[*place].clone()).collect::<Vec<_>>();
    assert_eq!(list("").await, ids);
    assert_eq!(list("category=a").await, some(&[0, 1, 2, 4, 6]));
    assert_eq!(list("category=a/b&status=active").await, some(&[0, 4]));
    assert_eq!(list("brand=One").await, some(&[0, 1, 2]));
    assert_eq!(list("sku=K-5").await, some(&[5]));
    let third = suite.get("/v1/products?sku=K-3").await["items"][0]["updated_at"].clone();
    assert_eq!(list(&format!("updated_since={}", third.as_str().unwrap())).await, ids[3..]);

    let (mut found, mut query) = (Vec::new(), "limit=3".to_owned());
    loop {
        let page = suite.get(&format!("/v1/products?{query}")).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        found.extend(items.iter().map(|product| product["id"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=3&cursor={cursor}");
    }
    assert_eq!(found, ids);

    for bad in [
        "limit=0",
        "limit=201",
        "cursor=x",
        "colour=red",
        "status=gone",
        "updated_since=now",
        "sku=%00",
    ] {
        let response =
            suite.anonymous(Method::GET, &format!("/v1/products?{bad}")).send().await.unwrap();
        let (status, code, _) = problem_of(response).await;
        assert_eq!((status, code.as_str()), (400, "invalid_query"), "{bad}");
    }

    let leaf = |name: &str, path: &str, count: i64, children: Value| json!({"name": name, "path": path, "count": count, "children": children});
    let b = leaf("b", "a/b", 2, json!([leaf("d", "a/b/d", 1, json!([]))]));
    let a = leaf("a", "a", 4, json!([b, leaf("c", "a/c", 1, json!([]))]));
    let expected =
        json!({"items": [a, leaf("ab", "ab", 1, json!([])), leaf("x", "x", 1, json!([]))]});
    assert_eq!(suite.get("/v1/categories").await, expected);
    suite.settled().await;
}
