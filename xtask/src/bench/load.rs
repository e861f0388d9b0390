//! What a bench asks of the suite.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Client, Method};
use runtime::auth::Scope;
use serde_json::{Value, json};
use testkit::wait_for;
use uuid::Uuid;

use crate::failure::Failure;
use crate::suite::{Answer, Keys, State, answer};

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// A client of the running suite that may do everything.
#[derive(Debug)]
pub(crate) struct Load {
    client: Client,
    state: State,
    token: String,
}

impl Load {
    pub(crate) fn new(state: State, keys: &Keys) -> Result<Self, Failure> {
        let client = Client::builder().no_proxy().timeout(DEADLINE).build();
        let client = client.map_err(Failure::unreachable("the HTTP client"))?;
        Ok(Self { client, state, token: keys.token("bench", &Scope::ALL)? })
    }

    /// Asks a service.
    pub(crate) async fn ask(
        &self,
        method: Method,
        service: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let url = format!("{}{path}", self.state.ports.url_of(service));
        let mut request = self.client.request(method, &url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(&url, request).await
    }

    async fn read(&self, service: &str, path: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, service, path, None).await?.success()?.json()
    }

    /// Makes a product with `skus`, in stock with a million pieces each; its id.
    pub(crate) async fn make_product(&self, skus: &[String]) -> Result<String, Failure> {
        let body = product("基准测试商品", skus);
        let made = self.ask(Method::POST, "product-catalog", "/v1/products", Some(&body)).await?;
        let made: Value = made.success()?.json()?;
        for sku in skus {
            let (path, body) = (format!("/v1/stock/{sku}"), json!({ "on_hand": 1_000_000 }));
            wait_for("inventory has heard of the product", DEADLINE, async || {
                let set = self.ask(Method::PUT, "inventory", &path, Some(&body)).await;
                set.and_then(Answer::success).map_err(|failure| failure.to_string())
            })
            .await?;
        }
        Ok(made["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Takes a product out of the shop again.
    pub(crate) async fn delete_product(&self, id: &str) -> Result<(), Failure> {
        let path = format!("/v1/products/{id}");
        self.ask(Method::DELETE, "product-catalog", &path, None).await?.success().map(drop)
    }

    /// How long from sending a new title until a search finds it.
    pub(crate) async fn visible_after(
        &self,
        id: &str,
        skus: &[String],
    ) -> Result<Duration, Failure> {
        // A word that no other product has.
        let word = format!("bench{}", Uuid::now_v7().simple());
        let began = Instant::now();
        let (path, body) = (format!("/v1/products/{id}"), product(&word, skus));
        self.ask(Method::PUT, "product-catalog", &path, Some(&body)).await?.success()?;
        let path = format!("/v1/search?limit=1&q={word}");
        while began.elapsed() < DEADLINE {
            let found = self.read("search-sync", &path).await?;
            if found["items"][0]["product_id"] == *id {
                return Ok(began.elapsed());
            }
        }
        Err(Failure::Late("the product is found"))
    }

    /// Places an order and waits until it is confirmed: how long that took.
    pub(crate) async fn confirmed_after(&self, sku: &str) -> Result<Duration, Failure> {
        let began = Instant::now();
        let body = json!({
            "customer_id": Uuid::now_v7(),
            "lines": [{ "sku": sku, "quantity": 1 }],
            "shipping_address": { "name": "Bench", "line1": "Street 1", "city": "Hangzhou", "country": "CN" },
            "payment": { "method": "test" },
        });
        let placed = self.ask(Method::POST, "order", "/v1/orders", Some(&body)).await?;
        let placed: Value = placed.success()?.json()?;
        let id = placed["id"].as_str().unwrap_or_default();
        let path = format!("/v1/orders/{id}?wait_for=confirmed&wait_ms=20000");
        let order = self.read("order", &path).await?;
        match order["status"].as_str() {
            Some("confirmed" | "shipped" | "delivered") => Ok(began.elapsed()),
            _ => Err(Failure::Late("the order is confirmed")),
        }
    }

    /// Places `number` orders from `buyers` buyers at once, each of whom waits for the confirmation before the next order;
    /// orders confirmed per second.
    pub(crate) async fn orders_per_second(
        &self,
        skus: &[String],
        number: u32,
        buyers: usize,
    ) -> Result<f64, Failure> {
        let began = Instant::now();
        stream::iter(skus.iter().cycle().zip(0..number))
            .map(|(sku, _)| self.confirmed_after(sku))
            .buffer_unordered(buyers)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        Ok(f64::from(number) / began.elapsed().as_secs_f64())
    }

    /// Sends `batches` batches of a hundred user events, `senders` at once; events accepted per second.
    pub(crate) async fn events_per_second(
        &self,
        product: &str,
        batches: u32,
        senders: usize,
    ) -> Result<f64, Failure> {
        const BATCH: u32 = 100;
        let began = Instant::now();
        stream::iter(0..batches)
            .map(|_| async {
                let session = Uuid::now_v7().to_string();
                let event = |_| {
                    json!({
                        "event_id": Uuid::now_v7(), "type": "product_viewed", "visitor_id": session,
                        "session_id": session, "product_id": product, "occurred_at": runtime::clock::now(),
                    })
                };
                let body = Value::Array((0..BATCH).map(event).collect());
                let sent = self.ask(Method::POST, "behavior-analytics", "/v1/events", Some(&body));
                let answer: Value = sent.await?.success()?.json()?;
                if answer["accepted"] == json!(BATCH) { Ok(()) } else { Err(Failure::Late("all events are accepted")) }
            })
            .buffer_unordered(senders)
            .try_for_each(|()| async { Ok(()) })
            .await?;
        Ok(f64::from(batches * BATCH) / began.elapsed().as_secs_f64())
    }
}

/// A product as it is sent.
fn product(title: &str, skus: &[String]) -> Value {
    let variant = |sku: &String| json!({ "sku": sku, "options": { "款": sku }, "price": { "amount": 1_000, "currency": "CNY" } });
    json!({
        "title": { "zh": title },
        "category": "测试/基准",
        "variants": skus.iter().map(variant).collect::<Vec<_>>(),
    })
}
