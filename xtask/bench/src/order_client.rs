//! A client of the order service: it places an order as a customer, and waits until the order is decided.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::json;
use suite::{Error as SuiteError, answer};
use tokio::time::sleep;
use uuid::Uuid;

use crate::error::Error;

/// The price of one piece of every SKU, in minor units of `CURRENCY`.
pub(crate) const PRICE: u32 = 1_000;

pub(crate) const CURRENCY: &str = "CNY";

/// Timeout of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes a request wait for the decision, within its timeout.
const WAIT: &str = "wait_for=confirmed&wait_ms=20000";

/// Timeout until an accepted order is decided.
const DECISION_TIMEOUT: Duration = Duration::from_mins(2);

/// The pause after a refusal: the `Retry-After` of the service.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often an order is sent at most.
const MAX_ATTEMPTS: u32 = 60;

/// A customer with a token.
#[derive(Debug)]
pub(crate) struct Customer {
    pub(crate) id: Uuid,
    pub(crate) token: String,
}

/// The decision about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Confirmed,
    Rejected,
}

/// The part of an order that is read.
#[derive(Debug, Deserialize)]
struct OrderAnswer {
    id: Uuid,
    status: String,
}

/// A client with one connection for each concurrent request.
#[derive(Debug)]
pub(crate) struct OrderClient {
    client: Client,
    /// The address of `POST /v1/orders`.
    url: String,
    refusals: AtomicU64,
}

impl OrderClient {
    /// A client of the service at `url`.
    pub(crate) fn new(url: &str) -> Result<Self, Error> {
        let client = Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).build();
        let client = client.map_err(SuiteError::unreachable("the HTTP client"))?;
        Ok(Self { client, url: format!("{url}/v1/orders"), refusals: AtomicU64::new(0) })
    }

    /// The number of requests that the service refused with 503, and that were repeated.
    pub(crate) fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    /// Orders one piece, paid with play money; returns when the order is accepted.
    pub(crate) async fn place(&self, customer: &Customer, sku: &str) -> Result<(), Error> {
        self.send(&self.url, customer, sku).await?;
        Ok(())
    }

    /// Orders one piece, paid with play money; returns the decision.
    pub(crate) async fn place_and_wait(
        &self,
        customer: &Customer,
        sku: &str,
    ) -> Result<Decision, Error> {
        let began = Instant::now();
        let url = format!("{}?{WAIT}", self.url);
        let mut order = self.send(&url, customer, sku).await?;
        let url = format!("{}/{}?{WAIT}", self.url, order.id);
        while began.elapsed() < DECISION_TIMEOUT {
            match order.status.as_str() {
                "confirmed" | "shipped" | "delivered" => return Ok(Decision::Confirmed),
                "rejected" => return Ok(Decision::Rejected),
                "placed" | "reserved" => {}
                other => {
                    return Err(Error::Inconsistent(format!("order {} is {other}", order.id)));
                }
            }
            let request = self.client.get(&url).bearer_auth(&customer.token);
            order = answer(&url, request).await?.success()?.json()?;
        }
        Err(Error::Timeout("the order is decided"))
    }

    /// Sends an order until it is accepted.
    async fn send(&self, url: &str, customer: &Customer, sku: &str) -> Result<OrderAnswer, Error> {
        let key = Uuid::now_v7().to_string();
        let body = json!({
            "customer_id": customer.id,
            "lines": [{ "sku": sku, "quantity": 1 }],
            "shipping_address": { "name": "Bench", "line1": "Street 1", "city": "Hangzhou", "country": "CN" },
            "payment": { "method": "test" },
            "expected_total": { "amount": PRICE, "currency": CURRENCY },
        });
        for _ in 0..MAX_ATTEMPTS {
            let request = self.client.post(url).bearer_auth(&customer.token);
            let request = request.header("idempotency-key", &key).json(&body);
            let answer = answer(url, request).await?;
            match answer.status {
                StatusCode::ACCEPTED => return Ok(answer.json()?),
                StatusCode::SERVICE_UNAVAILABLE => {
                    self.refusals.fetch_add(1, Ordering::Relaxed);
                    sleep(RETRY_AFTER).await;
                }
                _ => return Err(answer.refused().into()),
            }
        }
        Err(Error::Timeout("the order is accepted"))
    }
}
