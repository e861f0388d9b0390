//! How many webhooks a second are delivered: a backlog with one message for each key, to one endpoint in this process. The
//! services do nothing else meanwhile, so it disturbs no other figure.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{Router, extract::State, http::HeaderMap, http::StatusCode};
use serde_json::json;
use suite::Error as SuiteError;
use testkit::wait_for;
use tokio::{net::TcpListener, task::JoinSet};

use super::shop::Shop;
use crate::{error::Error, statistics::rate};

const MESSAGES: i32 = 10_000;

/// The first deliveries do not count: the connections are opened.
const WARM_UP: usize = 1_000;

/// Timeout until all messages are delivered.
const TIMEOUT: Duration = Duration::from_mins(5);

/// What has arrived.
#[derive(Debug, Default)]
struct Arrivals {
    ids: HashSet<String>,
    times: Vec<Instant>,
}

type Shared = Arc<Mutex<Arrivals>>;

/// Fails if a message is lost, or delivered twice.
pub(super) async fn deliveries_per_second(shop: &Shop) -> Result<f64, Error> {
    let arrivals = Shared::default();
    let file = "the receiver of webhooks";
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(SuiteError::file(file))?;
    let address = listener.local_addr().map_err(SuiteError::file(file))?;
    let router = Router::new().fallback(receive).with_state(arrivals.clone());
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await });

    let endpoint = json!({ "url": format!("http://{address}/"), "event_types": ["order.paid"] });
    let endpoint = shop.post("order", "/v1/webhook-endpoints", &endpoint).await?;
    let no_id = || Error::Inconsistent("the endpoint has no id".to_owned());
    let id = endpoint["id"].as_str().ok_or_else(no_id)?;
    shop.databases.add_webhooks(id, MESSAGES).await?;
    // It wakes the worker.
    shop.post("order", &format!("/v1/webhook-endpoints/{id}/resume"), &json!({})).await?;
    wait_for("all webhooks are delivered", TIMEOUT, async || {
        let delivered = shop.databases.delivered_webhooks().await;
        match delivered.map_err(|error| error.to_string())? {
            delivered if delivered == i64::from(MESSAGES) => Ok(()),
            delivered => Err(format!("{delivered} of {MESSAGES}")),
        }
    })
    .await?;
    let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    let messages = usize::try_from(MESSAGES).unwrap_or_default();
    if arrivals.ids.len() != messages || arrivals.times.len() != messages {
        let (ids, times) = (arrivals.ids.len(), arrivals.times.len());
        return Err(Error::Inconsistent(format!("{ids} of {MESSAGES} webhooks, {times} arrivals")));
    }
    let (first, last) = (arrivals.times[WARM_UP], arrivals.times[messages - 1]);
    let counted = u64::try_from(messages - 1 - WARM_UP).unwrap_or_default();
    Ok(rate(counted, last - first))
}

async fn receive(State(arrivals): State<Shared>, headers: HeaderMap) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    arrivals.ids.insert(id.to_owned());
    arrivals.times.push(Instant::now());
    StatusCode::NO_CONTENT
}
