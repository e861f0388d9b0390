//! The snapshot that bootstraps new consumers.

use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Value, json};

use crate::suite::{Suite, keyboard, path_of, problem_of};

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_contains_all_products_with_sequence_numbers() {
    let suite = Suite::start().await;
    let mut products = Vec::new();
    for sku in ["K-1", "K-2", "K-3"] {
        products.push(suite.create(&keyboard(sku)).await.0);
    }
    let mut changed = keyboard("K-1");
    changed["brand"] = json!("another");
    let path = path_of(&products[0]);
    suite.request(Method::PUT, &path).json(&changed).send().await.unwrap();
    suite.request(Method::DELETE, &path_of(&products[1])).send().await.unwrap();

    let first = suite.get("/v1/snapshots/product?limit=2").await;
    let next = first["next"].as_str().unwrap();
    let second = suite.get(&format!("/v1/snapshots/product?limit=2&after={next}")).await;
    assert_eq!(second["next"], Value::Null);
    let items: Vec<&Value> =
        [&first, &second].into_iter().flat_map(|page| page["items"].as_array().unwrap()).collect();
    let entries: Vec<(&str, i64, &str)> = items
        .iter()
        .map(|item| {
            let text = |name: &str| item[name].as_str().unwrap();
            (text("key"), item["sequence"].as_i64().unwrap(), text("kind"))
        })
        .collect();
    let id = |place: usize| products[place]["id"].as_str().unwrap();
    let (changed, deleted) = ("product.changed.v1", "product.deleted.v1");
    assert_eq!(entries, [(id(0), 2, changed), (id(1), 2, deleted), (id(2), 1, changed)]);
    assert_eq!(items[0]["data"]["brand"], "another");
    assert_eq!(items[1]["data"]["version"], 2);

    let wrong = suite.anonymous(Method::GET, "/v1/snapshots/product?limit=0");
    let wrong = wrong.bearer_auth(suite.token(&[Scope::Ops])).send().await.unwrap();
    assert_eq!(problem_of(wrong).await.0, 400);
    suite.settled().await;
}
