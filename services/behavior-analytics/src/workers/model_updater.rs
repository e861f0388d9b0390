//! Feeds the model from the tables.
//!
//! The model cannot commit together with PostgreSQL, so it follows committed rows: the updater reads each
//! table in the order of its row numbers. Commits of this process wake it, and it polls for those of other
//! replicas. A new process reads the last days again and arrives at the same model. When the rules have changed and
//! all events have new verdicts, the updater builds a second model in the same way and then replaces the first.

use std::{convert::Infallible, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use messaging::Outbox;
use runtime::{clock, health::Component};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{
        model_waker::ModelWaker,
        recommender::{ModelProgress, ModelWriter},
    },
    domain::verdict::Verdict,
    storage::{baskets, erasures, event_rules, products, user_events},
};

/// The most rows that one query reads.
const PAGE_SIZE: i64 = 2_000;

/// The most rows that are learned under one write lock, so that queries wait only briefly.
const CHUNK_SIZE: usize = 200;

/// How often the updater looks for commits of other replicas, unless it is alone and rests.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The pause after a database error.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Feeds the model of this process.
pub(crate) struct ModelUpdater {
    outbox: Outbox,
    learner: Learner,
    model_days: u16,
    waker: ModelWaker,
    component: Component,
    /// The version of the rules by whose verdicts the model has learned; `None` before the first pass.
    rules_version: Option<i32>,
}

/// A model that follows the tables.
struct Learner {
    model: ModelWriter,
    /// Older events and baskets are not learned.
    since: DateTime<Utc>,
    progress: ModelProgress,
    /// Whether the first erasure number has been read.
    started: bool,
}

impl ModelUpdater {
    /// Learns from the last `model_days` days. `component` is up once the model has learned everything that
    /// was stored at the start.
    pub(crate) fn new(
        outbox: Outbox,
        model: ModelWriter,
        component: Component,
        waker: ModelWaker,
        model_days: u16,
    ) -> Self {
        let learner = Learner::new(model, model_days);
        Self { outbox, learner, model_days, waker, component, rules_version: None }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        while let Some(result) = stop.run_until_cancelled(self.update()).await {
            match result {
                Ok(true) => {}
                Ok(false) => {
                    self.learner.progress.caught_up = true;
                    self.learner.publish_progress();
                    self.component.up();
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = self.waker.woken() => {}
                        () = self.outbox.pause(POLL_INTERVAL) => {}
                    }
                }
                Err(error) => {
                    let error = problem::chain(&error);
                    tracing::warn!(error, "failed to update the model; retrying");
                    stop.run_until_cancelled(tokio::time::sleep(RETRY_DELAY)).await;
                }
            }
        }
        Ok(())
    }

    /// Learns one page of each table. Returns whether there may be more.
    async fn update(&mut self) -> Result<bool, sqlx::Error> {
        let mut connection = self.outbox.pool().acquire().await?;
        let version = event_rules::recounted_version(&mut connection).await?;
        if self.rules_version.is_some_and(|known| known != version) {
            self.learn_again(&mut connection).await?;
            tracing::info!(version, "the model has learned again by other rules");
        }
        self.rules_version = Some(version);
        let more = self.learner.learn(&mut connection).await?;
        drop(connection);
        self.learner.publish_progress();
        Ok(more)
    }

    /// Builds a second model from the tables, and replaces the first by it. Queries read the first one meanwhile.
    async fn learn_again(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut successor = Learner::new(self.learner.model.successor(), self.model_days);
        while successor.learn(connection).await? {}
        successor.progress.caught_up = self.learner.progress.caught_up;
        let Learner { model, since, progress, started } = successor;
        self.learner.model.replace_by(&model);
        (self.learner.since, self.learner.progress) = (since, progress);
        self.learner.started = started;
        Ok(())
    }
}

impl Learner {
    fn new(model: ModelWriter, model_days: u16) -> Self {
        let since = clock::now() - TimeDelta::days(i64::from(model_days));
        Self { model, since, progress: ModelProgress::default(), started: false }
    }

    fn publish_progress(&self) {
        self.model.publish_progress(self.progress);
    }

    /// Learns one page of each table. Returns whether there may be more.
    async fn learn(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        if !self.started {
            // The events of earlier erasures are deleted already, so the model never learns them.
            self.progress.erasures = erasures::newest(connection).await?;
            self.started = true;
        }
        let mut more = self.learn_products(connection).await?;
        more |= self.learn_baskets(connection).await?;
        more |= self.learn_events(connection).await?;
        // Erasures come last, so that an event that was read before its visitor was erased is forgotten in
        // the same pass.
        more |= self.forget_erased(connection).await?;
        Ok(more)
    }

    async fn learn_products(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let page = products::changes_after(connection, self.progress.products, PAGE_SIZE).await?;
        let more = is_full(&page);
        for chunk in page.chunks(CHUNK_SIZE) {
            self.model.update(|model| {
                for (number, change) in chunk {
                    model.apply_product(change.clone());
                    self.progress.products = *number;
                }
            });
        }
        Ok(more)
    }

    async fn learn_baskets(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let page = baskets::after(connection, self.progress.baskets, self.since, PAGE_SIZE).await?;
        let more = is_full(&page);
        for chunk in page.chunks(CHUNK_SIZE) {
            self.model.update(|model| {
                for basket in chunk {
                    let (order, buyer) = (basket.order_id, basket.customer_id.into());
                    model.learn_basket(order, buyer, &basket.products, basket.bought_at);
                    self.progress.baskets = basket.no;
                }
            });
        }
        Ok(more)
    }

    async fn learn_events(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let page =
            user_events::after(connection, self.progress.events, self.since, PAGE_SIZE).await?;
        let more = is_full(&page);
        for chunk in page.chunks(CHUNK_SIZE) {
            self.model.update(|model| {
                for stored in chunk {
                    if let Some(event) = &stored.event
                        && stored.verdict.is_none_or(Verdict::is_human)
                    {
                        model.apply(event, stored.weight);
                    }
                    self.progress.events = stored.no;
                }
            });
        }
        if let Some(newest) = page.last() {
            let count = u64::try_from(page.len()).unwrap_or_default();
            metrics::counter!("behavior_model_events_total").increment(count);
            let age = clock::now().signed_duration_since(newest.received_at);
            metrics::histogram!("behavior_model_delay_seconds").record(age.as_seconds_f64());
        }
        Ok(more)
    }

    async fn forget_erased(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let page = erasures::after(connection, self.progress.erasures, PAGE_SIZE).await?;
        let more = is_full(&page);
        for (number, visitor) in page {
            if let Some(visitor) = visitor {
                let forgotten = self.model.update(|model| model.forget_visitor(&visitor));
                tracing::debug!(
                    erasure = number,
                    sessions = forgotten.sessions,
                    indexed_sessions = forgotten.indexed_sessions,
                    baskets = forgotten.baskets,
                    profile = forgotten.profile,
                    "the model has forgotten a visitor"
                );
            }
            self.progress.erasures = number;
        }
        Ok(more)
    }
}

fn is_full<T>(page: &[T]) -> bool {
    i64::try_from(page.len()).is_ok_and(|length| length >= PAGE_SIZE)
}
