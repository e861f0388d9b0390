//! The command `seed`, against a fake shop with the routes of the services.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use console::seed::{Progress, Seed, SeedError, Seeded, run};
use runtime::auth::{Scope, SigningKey, Verifier};
use serde_json::{Value, json};

use crate::suite::serve;

/// All services in one process. Inventory and search learn of the products only some requests after the import.
#[derive(Default)]
struct Shop {
    verifier: Option<Verifier>,
    products: usize,
    polls: usize,
    requests: u32,
    attempts: HashMap<String, u32>,
    stock: HashMap<String, u64>,
    searches: usize,
    refuses: bool,
}

type Shared = Arc<Mutex<Shop>>;

fn has_scope(shop: &Shop, headers: &HeaderMap, scope: Scope) -> bool {
    let token =
        headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
    shop.verifier.as_ref().unwrap().verify(&token).unwrap().has(scope)
}

async fn import(State(shop): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let mut shop = shop.lock().unwrap();
    assert!(has_scope(&shop, &headers, Scope::CatalogWrite));
    assert_eq!(headers["content-type"], "application/x-ndjson");
    if shop.refuses {
        return (StatusCode::UNPROCESSABLE_ENTITY, "no").into_response();
    }
    shop.products = body.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
    (StatusCode::ACCEPTED, Json(json!({ "id": "i1", "state": "running" }))).into_response()
}

async fn follow(State(shop): State<Shared>, Path(id): Path<String>) -> Json<Value> {
    assert_eq!(id, "i1");
    let mut shop = shop.lock().unwrap();
    shop.polls += 1;
    let state = if shop.polls < 3 { "running" } else { "done" };
    Json(json!({ "id": id, "state": state, "processed": shop.polls * 10, "refused": 0 }))
}

/// The first request of each SKU finds it unknown; the second request of all is answered 503.
async fn stock(
    State(shop): State<Shared>,
    headers: HeaderMap,
    Json(lines): Json<Vec<Value>>,
) -> Response {
    let mut shop = shop.lock().unwrap();
    assert!(has_scope(&shop, &headers, Scope::StockWrite));
    shop.requests += 1;
    if shop.requests == 2 {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let mut items = Vec::new();
    for line in lines {
        let sku = line["sku"].as_str().unwrap().to_owned();
        let attempts = shop.attempts.entry(sku.clone()).or_default();
        *attempts += 1;
        if *attempts == 1 {
            items.push(json!({ "sku": sku, "status": "refused", "code": "unknown_sku" }));
        } else {
            shop.stock.insert(sku.clone(), line["on_hand"].as_u64().unwrap());
            items.push(json!({ "sku": sku, "status": "set" }));
        }
    }
    Json(json!({ "items": items })).into_response()
}

async fn level(State(shop): State<Shared>, Path(sku): Path<String>) -> Response {
    match shop.lock().unwrap().stock.get(&sku) {
        Some(on_hand) => Json(json!({ "on_hand": on_hand })).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn search(State(shop): State<Shared>) -> Json<Value> {
    let mut shop = shop.lock().unwrap();
    shop.searches += 1;
    let total = if shop.searches < 3 { 1 } else { shop.products };
    Json(json!({ "items": [], "total": total }))
}

async fn serve_shop(shop: &Shared) -> Seed {
    let router = Router::new()
        .route("/v1/imports", post(import))
        .route("/v1/imports/{id}", get(follow))
        .route("/v1/stock", post(stock))
        .route("/v1/stock/{sku}", get(level))
        .route("/v1/search", get(search))
        .with_state(shop.clone());
    let url: reqwest::Url = serve(router).await.parse().unwrap();
    Seed {
        product_catalog: url.clone(),
        inventory: url.clone(),
        search_sync: url,
        tls: None,
        count: 30,
        seed: 7,
        deadline: Duration::from_secs(30),
    }
}

fn empty_shop(key: &SigningKey) -> Shared {
    Arc::new(Mutex::new(Shop { verifier: Some(key.verifier()), ..Shop::default() }))
}

#[tokio::test]
async fn empty_shop_is_seeded_once() {
    let key = SigningKey::generate().unwrap();
    let shop = empty_shop(&key);
    let seed = serve_shop(&shop).await;
    let mut steps = Vec::new();
    let seeded = run(&seed, &key, |progress| steps.push(progress)).await.unwrap();
    let Seeded::Filled { products, skus } = seeded else { panic!("{seeded:?}") };
    assert_eq!(products, 30);
    assert!(steps.contains(&Progress::Importing { done: 30, total: 30 }), "{steps:?}");
    assert!(steps.contains(&Progress::Stocking { done: skus, total: skus }));
    assert_eq!(steps.last(), Some(&Progress::Indexing { done: 30, total: 30 }));
    {
        let shop = shop.lock().unwrap();
        assert_eq!(u64::try_from(shop.stock.len()).unwrap(), skus);
        for (sku, on_hand) in &shop.stock {
            assert_eq!(*on_hand, u64::from(sample_catalogue::opening_stock(sku)));
        }
    }
    let again = run(&seed, &key, |_| {}).await.unwrap();
    assert_eq!(again, Seeded::AlreadyThere);
}

#[tokio::test]
async fn refused_import_fails_without_a_retry() {
    let key = SigningKey::generate().unwrap();
    let shop = empty_shop(&key);
    shop.lock().unwrap().refuses = true;
    let error = run(&serve_shop(&shop).await, &key, |_| {}).await.unwrap_err();
    assert!(
        matches!(error, SeedError::Refused { status: StatusCode::UNPROCESSABLE_ENTITY, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn unreachable_services_end_at_the_deadline() {
    let key = SigningKey::generate().unwrap();
    let unreachable: reqwest::Url = "http://127.0.0.1:1".parse().unwrap();
    let seed = Seed {
        product_catalog: unreachable.clone(),
        inventory: unreachable.clone(),
        search_sync: unreachable,
        tls: None,
        count: 1,
        seed: 7,
        deadline: Duration::from_millis(500),
    };
    assert!(matches!(run(&seed, &key, |_| {}).await, Err(SeedError::Deadline(_))));
}
