//! How people ask a service of which some instances may be struck: again and again, another instance each time.

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

/// How long somebody pauses before the next thing, and before asking again.
pub(super) const PAUSE: Duration = Duration::from_millis(60);

/// How long people ask again. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Patience {
    over: CancellationToken,
    unanswered: Arc<AtomicUsize>,
}

impl Patience {
    /// Nobody asks again from now on.
    pub(super) fn end(&self) {
        self.over.cancel();
    }

    /// Whether nobody asks again.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// How many questions were given up: whether they had an effect is not known.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::SeqCst)
    }
}

/// Where the instances of a service listen.
pub(super) struct Doors {
    urls: [String; 2],
    patience: Patience,
}

impl Doors {
    pub(super) fn of(shop: &Shop, service: &str, patience: &Patience) -> Self {
        let urls = [shop.url(service).to_owned(), shop.url(&second(service)).to_owned()];
        Self { urls, patience: patience.clone() }
    }

    /// Asks until the answer is a success, as a good client does: another instance each time, the `first` one first. `ask` makes
    /// the request to where an instance listens, and every request here may be repeated. None if there was no such answer.
    pub(super) async fn insist(
        &self,
        first: usize,
        ask: impl Fn(&str) -> RequestBuilder,
    ) -> Option<Value> {
        self.insist_or(first, None, ask).await
    }

    /// The same, until the answer is a success or a refusal by the code `refusal`.
    pub(super) async fn insist_or(
        &self,
        first: usize,
        refusal: Option<&str>,
        ask: impl Fn(&str) -> RequestBuilder,
    ) -> Option<Value> {
        let mut doors = self.urls.iter().cycle().skip(first % self.urls.len());
        while !self.patience.is_over() {
            let door = doors.next()?;
            if let Some(answer) = answer(ask(door), refusal).await {
                return Some(answer);
            }
            sleep(PAUSE).await;
        }
        self.patience.unanswered.fetch_add(1, Ordering::SeqCst);
        None
    }
}

/// What is answered to a request, if it is a success or this refusal; null if the answer is empty.
async fn answer(request: RequestBuilder, refusal: Option<&str>) -> Option<Value> {
    let answer = request.send().await.ok()?;
    let status = answer.status();
    let text = answer.text().await.ok()?;
    if status.is_success() && text.is_empty() {
        return Some(Value::Null);
    }
    let body: Value = serde_json::from_str(&text).ok()?;
    let is_meant = status.is_success() || refusal.is_some_and(|code| body["code"] == code);
    is_meant.then_some(body)
}
