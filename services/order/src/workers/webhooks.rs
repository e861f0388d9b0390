//! Sends webhooks. Several instances may run side by side: each claims what it sends. Every endpoint has slots of its own,
//! so one that is slow or dead delays no other.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use messaging::{Error, Outbox};
use runtime::clock;
use tokio::task::{self, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use vocabulary::WebhookEndpointId;

use crate::{
    app::{
        record_webhook_attempts::{SentDelivery, record_webhook_attempts},
        webhook_client::{WebhookClient, WebhookRequest},
        worker_waker::WorkerWaker,
    },
    domain::webhooks::{EndpointKeys, EndpointStatus, EndpointUrl},
    storage::{
        webhook_deliveries::{self, ClaimedDelivery},
        webhook_endpoints::{self, OpenEndpoint},
    },
};

/// The concurrent attempts of this process for each endpoint. The number of endpoints bounds all attempts.
const SLOTS_PER_ENDPOINT: usize = 8;

/// How long a claim lasts: longer than an attempt with its record, even if the database is slow.
const CLAIM: Duration = Duration::from_mins(1);

/// The longest sleep, unless the process rests. What another instance writes or releases is found after it.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The pause after a database error.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// How long attempts may take when the process stops. Those that take longer are repeated by another process.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How many deliveries of a disabled endpoint a statement discards.
const DISCARD_SIZE: i64 = 1_000;

#[derive(Debug)]
pub(crate) struct WebhookWorker {
    outbox: Outbox,
    client: WebhookClient,
    waker: WorkerWaker,
    attempts: JoinSet<SentDelivery>,
    /// The endpoint of each task in `attempts`.
    endpoints: HashMap<task::Id, WebhookEndpointId>,
    /// Attempts that are not recorded yet.
    sent: Vec<SentDelivery>,
}

impl WebhookWorker {
    pub(crate) fn new(outbox: Outbox, client: WebhookClient, waker: WorkerWaker) -> Self {
        let (attempts, endpoints, sent) = (JoinSet::new(), HashMap::new(), Vec::new());
        Self { outbox, client, waker, attempts, endpoints, sent }
    }

    /// Sends what is due, until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        while !stop.is_cancelled() {
            let next = match self.work().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(
                        error = problem::chain(&error),
                        "failed to send webhooks; retrying"
                    );
                    stop.run_until_cancelled(tokio::time::sleep(RETRY_DELAY)).await;
                    continue;
                }
            };
            stop.run_until_cancelled(self.wait(next)).await;
        }
        let ended = async {
            while let Some(ended) = self.attempts.join_next_with_id().await {
                self.end(ended);
            }
        };
        let _ = tokio::time::timeout(STOP_TIMEOUT, ended).await;
        if let Err(error) = self.record().await {
            tracing::warn!(
                error = problem::chain(&error),
                "failed to record webhooks; they are sent again"
            );
        }
        Ok(())
    }

    /// Records the attempts that have ended and begins new ones. Returns when the next one is due that it cannot begin yet.
    async fn work(&mut self) -> Result<Option<DateTime<Utc>>, Error> {
        self.record().await?;
        let mut connection = self.outbox.pool().acquire().await?;
        let now = clock::now();
        let mut next: Option<DateTime<Utc>> = None;
        for endpoint in webhook_endpoints::open_endpoints(&mut connection, now).await? {
            let (slots, due_at) = self.slots(&endpoint, now);
            next = next.into_iter().chain(due_at).min();
            if !endpoint.has_due || slots == 0 {
                continue;
            }
            let (until, limit) = (now + CLAIM, i64::try_from(slots).unwrap_or(i64::MAX));
            let claimed =
                webhook_deliveries::claim(&mut connection, endpoint.id, now, until, limit).await?;
            for delivery in claimed {
                self.begin(&endpoint, delivery);
            }
        }
        Ok(next)
    }

    /// How many attempts an endpoint may have in addition, and when the next one is due.
    fn slots(&self, endpoint: &OpenEndpoint, now: DateTime<Utc>) -> (usize, Option<DateTime<Utc>>) {
        let busy = self.endpoints.values().filter(|busy| **busy == endpoint.id).count();
        match endpoint.health.status {
            EndpointStatus::Active => {
                (SLOTS_PER_ENDPOINT.saturating_sub(busy), endpoint.next_due_at)
            }
            EndpointStatus::Paused { next_probe_at } if next_probe_at > now => {
                (0, Some(next_probe_at))
            }
            // One attempt tells whether it is back.
            EndpointStatus::Paused { .. } => (1_usize.saturating_sub(busy), endpoint.next_due_at),
            EndpointStatus::Disabled(_) => (0, None),
        }
    }

    fn begin(&mut self, endpoint: &OpenEndpoint, delivery: ClaimedDelivery) {
        let was_perfect = endpoint.health.is_perfect();
        let attempt = send(
            self.client.clone(),
            endpoint.url.clone(),
            endpoint.keys.clone(),
            delivery,
            was_perfect,
        );
        let task = self.attempts.spawn(attempt);
        self.endpoints.insert(task.id(), endpoint.id);
    }

    /// Returns when there is something to do.
    async fn wait(&mut self, next: Option<DateTime<Utc>>) {
        let pause = next.map(|next| (next - clock::now()).to_std().unwrap_or_default());
        tokio::select! {
            Some(ended) = self.attempts.join_next_with_id() => self.end(ended),
            () = self.waker.woken() => {}
            () = tokio::time::sleep(pause.unwrap_or(Duration::MAX)) => {}
            () = self.outbox.pause(POLL_INTERVAL) => {}
        }
        // Attempts that have ended meanwhile share the transaction.
        while let Some(ended) = self.attempts.try_join_next_with_id() {
            self.end(ended);
        }
    }

    fn end(&mut self, ended: Result<(task::Id, SentDelivery), JoinError>) {
        match ended {
            Ok((task, sent)) => {
                self.endpoints.remove(&task);
                let result = sent.attempt.result.as_str();
                metrics::counter!("webhook_attempts_total", "result" => result).increment(1);
                metrics::histogram!("webhook_attempt_seconds").record(sent.attempt.duration);
                self.sent.push(sent);
            }
            Err(error) => {
                // Its claim expires, and it is sent again.
                self.endpoints.remove(&error.id());
                tracing::error!(error = problem::chain(&error), "an attempt of a webhook failed");
            }
        }
    }

    /// Records the attempts that have ended. An error means an outage, not a bad attempt.
    async fn record(&mut self) -> Result<(), Error> {
        if self.sent.is_empty() {
            return Ok(());
        }
        match self.record_sent().await {
            Ok(disabled) => {
                self.sent.clear();
                for endpoint in disabled {
                    self.discard(endpoint).await?;
                }
            }
            Err(error) if error.is_outage() => return Err(error),
            Err(error) => {
                tracing::error!(
                    error = problem::chain(&error),
                    "failed to record webhooks; they are sent again"
                );
                self.sent.clear();
            }
        }
        Ok(())
    }

    async fn record_sent(&self) -> Result<Vec<WebhookEndpointId>, Error> {
        let mut tx = self.outbox.pool().begin().await?;
        let disabled = record_webhook_attempts(&mut tx, &self.sent, clock::now()).await?;
        tx.commit().await?;
        Ok(disabled)
    }

    async fn discard(&self, endpoint: WebhookEndpointId) -> Result<(), Error> {
        let mut connection = self.outbox.pool().acquire().await?;
        let now = clock::now();
        while webhook_deliveries::discard(&mut connection, endpoint, now, DISCARD_SIZE).await? > 0 {
        }
        Ok(())
    }
}

async fn send(
    client: WebhookClient,
    url: EndpointUrl,
    keys: EndpointKeys,
    mut delivery: ClaimedDelivery,
    was_perfect: bool,
) -> SentDelivery {
    let body = Bytes::from(std::mem::take(&mut delivery.body));
    let request = WebhookRequest { url: &url, keys: &keys, id: delivery.message, body };
    let attempt = client.send(request).await;
    SentDelivery { delivery, attempt, was_perfect }
}
