//! The load of the quick bench.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Client, Method};
use runtime::auth::Scope;
use serde_json::{Value, json};
use suite::{Answer, Error as SuiteError, Keys, State, answer};
use testkit::wait_for;
use uuid::Uuid;

use crate::{
    buyers::{Allowance, Buyers, Until},
    error::Error,
    order_client::{CURRENCY, Customer, OrderClient, PRICE},
};

/// Timeout of every request and every wait.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The number of customers: the suite bounds what one of them may do.
const CUSTOMERS: u32 = 1_000;

/// Clients of the running suite: an administrator with all scopes, and customers.
#[derive(Debug)]
pub(crate) struct Load {
    client: Client,
    state: State,
    token: String,
    customers: Arc<[Customer]>,
}

impl Load {
    pub(crate) fn new(state: State, keys: &Keys) -> Result<Self, Error> {
        let client = Client::builder().no_proxy().timeout(TIMEOUT).build();
        let client = client.map_err(SuiteError::unreachable("the HTTP client"))?;
        let customer = |_| {
            let id = Uuid::now_v7();
            let scopes = [Scope::OrdersRead, Scope::OrdersWrite];
            Ok::<_, Error>(Customer { id, token: keys.token(&id.to_string(), &scopes)? })
        };
        let customers = (0..CUSTOMERS).map(customer).collect::<Result<_, _>>()?;
        Ok(Self { client, state, token: keys.token("bench", &Scope::ALL)?, customers })
    }

    /// Sends a request of the administrator to a service.
    pub(crate) async fn send(
        &self,
        method: Method,
        service: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        self.send_as(&self.token, method, service, path, body).await
    }

    async fn send_as(
        &self,
        token: &str,
        method: Method,
        service: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let url = format!("{}{path}", self.state.ports.url_of(service));
        let mut request = self.client.request(method, &url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        Ok(answer(&url, request).await?)
    }

    /// The token of one customer after the other.
    fn token_of(&self, number: usize) -> &str {
        let customer = number.checked_rem(self.customers.len());
        customer.and_then(|number| self.customers.get(number)).map_or(&self.token, |one| &one.token)
    }

    /// Creates a product with `skus`, each with a stock of a million, and returns its id.
    pub(crate) async fn create_product(&self, skus: &[String]) -> Result<String, Error> {
        let body = product("基准测试商品", skus);
        let created =
            self.send(Method::POST, "product-catalog", "/v1/products", Some(&body)).await?;
        let created: Value = created.success()?.json()?;
        for sku in skus {
            let (path, body) = (format!("/v1/stock/{sku}"), json!({ "on_hand": 1_000_000 }));
            wait_for("inventory knows the product", TIMEOUT, async || {
                let set = self.send(Method::PUT, "inventory", &path, Some(&body)).await;
                set.and_then(|answer| Ok(answer.success()?)).map_err(|error| error.to_string())
            })
            .await?;
        }
        Ok(created["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Deletes a product.
    pub(crate) async fn delete_product(&self, id: &str) -> Result<(), Error> {
        let path = format!("/v1/products/{id}");
        self.send(Method::DELETE, "product-catalog", &path, None).await?.success()?;
        Ok(())
    }

    /// The time from the request that changes a title until a search finds it.
    pub(crate) async fn visible_after(&self, id: &str, skus: &[String]) -> Result<Duration, Error> {
        // A word of no other product.
        let word = format!("bench{}", Uuid::now_v7().simple());
        let began = Instant::now();
        let (path, body) = (format!("/v1/products/{id}"), product(&word, skus));
        self.send(Method::PUT, "product-catalog", &path, Some(&body)).await?.success()?;
        let path = format!("/v1/search?limit=1&q={word}");
        let mut searches = 0..;
        while began.elapsed() < TIMEOUT {
            let token = self.token_of(searches.next().unwrap_or_default());
            let found = self.send_as(token, Method::GET, "search-sync", &path, None).await?;
            let found: Value = found.success()?.json()?;
            if found["items"][0]["product_id"] == *id {
                return Ok(began.elapsed());
            }
        }
        Err(Error::Timeout("a search finds the product"))
    }

    /// Buyers of `skus`, each order by the next customer.
    pub(crate) fn buyers(&self, skus: &[String]) -> Result<Arc<Buyers>, Error> {
        let client = OrderClient::new(&self.state.ports.url_of("order"))?;
        Ok(Buyers::new(Arc::new(client), self.customers.clone(), skus.to_vec()))
    }

    /// The times from the request that places an order until it is confirmed, one order after the other.
    pub(crate) async fn confirmation_times(
        &self,
        skus: &[String],
        number: u32,
    ) -> Result<Vec<Duration>, Error> {
        let buyers = self.buyers(skus)?;
        let mut times = Vec::new();
        for _ in 0..number {
            let began = Instant::now();
            buyers.order(Until::Decided).await?;
            times.push(began.elapsed());
        }
        buyers.check_none_rejected()?;
        Ok(times)
    }

    /// Confirmed orders per second: concurrent buyers place `number` orders, each waiting for the
    /// confirmation before its next order.
    pub(crate) async fn orders_per_second(
        &self,
        skus: &[String],
        number: u32,
        concurrent: usize,
    ) -> Result<f64, Error> {
        let buyers = self.buyers(skus)?;
        let began = Instant::now();
        buyers.run(concurrent, Until::Decided, &Allowance::of(number.into())).await?;
        let elapsed = began.elapsed();
        buyers.check_none_rejected()?;
        Ok(f64::from(number) / elapsed.as_secs_f64())
    }

    /// Accepted user events per second: concurrent senders send batches of 100.
    pub(crate) async fn events_per_second(
        &self,
        product: &str,
        batches: u32,
        senders: usize,
    ) -> Result<f64, Error> {
        const BATCH: u32 = 100;
        let began = Instant::now();
        stream::iter(0..batches)
            .map(|batch| async move {
                let session = Uuid::now_v7().to_string();
                let event = |_| {
                    json!({
                        "event_id": Uuid::now_v7(), "type": "product_viewed", "visitor_id": session,
                        "session_id": session, "product_id": product, "occurred_at": runtime::clock::now(),
                    })
                };
                let body = Value::Array((0..BATCH).map(event).collect());
                let token = self.token_of(batch as usize);
                let (service, path) = ("behavior-analytics", "/v1/events");
                let sent = self.send_as(token, Method::POST, service, path, Some(&body));
                let answer: Value = sent.await?.success()?.json()?;
                if answer["accepted"] == json!(BATCH) { Ok(()) } else { Err(Error::Timeout("all events are accepted")) }
            })
            .buffer_unordered(senders)
            .try_for_each(|()| async { Ok(()) })
            .await?;
        Ok(f64::from(batches * BATCH) / began.elapsed().as_secs_f64())
    }
}

/// The body of a product.
pub(crate) fn product(title: &str, skus: &[String]) -> Value {
    let variant = |sku: &String| json!({ "sku": sku, "options": { "款": sku }, "price": { "amount": PRICE, "currency": CURRENCY } });
    json!({
        "title": { "zh": title },
        "category": "测试/基准",
        "variants": skus.iter().map(variant).collect::<Vec<_>>(),
    })
}
