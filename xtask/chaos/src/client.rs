//! A client of a service with two instances: it retries, alternating between the instances, until it gets an
//! answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::RequestBuilder;
use serde_json::Value;
use system_tests::{Shop, second};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The pause between actions, and before a retry.
pub(super) const PAUSE: Duration = Duration::from_millis(60);

/// How long clients retry; the clones share one state.
#[derive(Debug, Clone, Default)]
pub(super) struct RetryPolicy {
    expired: CancellationToken,
    unanswered: Arc<AtomicUsize>,
}

impl RetryPolicy {
    /// Ends all retries.
    pub(super) fn expire(&self) {
        self.expired.cancel();
    }

    pub(super) fn is_expired(&self) -> bool {
        self.expired.is_cancelled()
    }

    /// The number of requests without an answer: their effects are unknown.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::SeqCst)
    }
}

/// A client of both instances of a service.
pub(super) struct ServiceClient {
    urls: [String; 2],
    policy: RetryPolicy,
}

impl ServiceClient {
    pub(super) fn new(shop: &Shop, service: &str, policy: &RetryPolicy) -> Self {
        let urls = [shop.url(service).to_owned(), shop.url(&second(service)).to_owned()];
        Self { urls, policy: policy.clone() }
    }

    /// Sends the request until the answer is a success, starting with instance `first`; none if the policy
    /// expires.
    ///
    /// `request` builds the request for the URL of an instance. It must be idempotent.
    pub(super) async fn send(
        &self,
        first: usize,
        request: impl Fn(&str) -> RequestBuilder,
    ) -> Option<Value> {
        self.send_expecting(first, None, request).await
    }

    /// Like [`send`](Self::send), and also accepts a problem with the code `expected`.
    pub(super) async fn send_expecting(
        &self,
        first: usize,
        expected: Option<&str>,
        request: impl Fn(&str) -> RequestBuilder,
    ) -> Option<Value> {
        let mut urls = self.urls.iter().cycle().skip(first % self.urls.len());
        while !self.policy.is_expired() {
            let url = urls.next()?;
            if let Some(answer) = answer(request(url), expected).await {
                return Some(answer);
            }
            sleep(PAUSE).await;
        }
        self.policy.unanswered.fetch_add(1, Ordering::SeqCst);
        None
    }
}

/// The body of the answer if it is a success or the expected problem; null if the body is empty.
async fn answer(request: RequestBuilder, expected: Option<&str>) -> Option<Value> {
    let answer = request.send().await.ok()?;
    let status = answer.status();
    let text = answer.text().await.ok()?;
    if status.is_success() && text.is_empty() {
        return Some(Value::Null);
    }
    let body: Value = serde_json::from_str(&text).ok()?;
    let is_accepted = status.is_success() || expected.is_some_and(|code| body["code"] == code);
    is_accepted.then_some(body)
}
