#![doc = include_str!("../README.md")]
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "for tests: a failure panics")]

mod credentials;
mod double;
pub mod events;
mod instance;
mod recorder;

use std::{convert::Infallible, time::Duration};

use messaging::MessagingRuntime;
use reqwest::{RequestBuilder, StatusCode};
use runtime::Lifecycle;
use serde_json::Value;
use sqlx::PgPool;
use testkit::wait_for;

pub use self::{
    credentials::Credentials, double::ServiceDouble, instance::Instance, recorder::Recorder,
};

/// The longest wait for a state; long, because tests share few processors.
pub const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Runs relay and consumers as tasks of `lifecycle`.
pub fn run_messaging(lifecycle: &Lifecycle, messaging: &MessagingRuntime) {
    let (relay, stop) = (messaging.clone(), lifecycle.soft());
    lifecycle.spawn("relay", async move {
        relay.relay(stop).await;
        Ok::<_, Infallible>(())
    });
    let (consumers, stop) = (messaging.clone(), lifecycle.soft());
    lifecycle.spawn("consumers", async move {
        consumers.consume(stop).await;
        Ok::<_, Infallible>(())
    });
}

/// Waits until the outbox of a database is empty.
pub async fn wait_until_published(pool: &PgPool) {
    wait_for("the outbox is empty", LONGEST_WAIT, async || {
        match count(pool, "select count(*) from messaging.outbox").await {
            0 => Ok(()),
            unpublished => Err(format!("{unpublished} events are unpublished")),
        }
    })
    .await
    .unwrap();
}

/// Runs a query that returns one number.
pub async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// Asserts the number of pending dead letters.
pub async fn assert_dead_letters(pool: &PgPool, expected: i64) {
    let pending = "select count(*) from messaging.dead_letter where state = 'pending'";
    assert_eq!(count(pool, pending).await, expected, "pending dead letters");
}

/// Sends a request; returns status and body, `null` for a body that is not JSON.
pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.timeout(LONGEST_WAIT).send().await.unwrap();
    let status = response.status();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}
