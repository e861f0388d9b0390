//! The task that feeds the model.

use std::{
    convert::Infallible,
    sync::{Arc, RwLock},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use runtime::{
    Lifecycle, clock,
    health::{Component, Health},
};
use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Knowledge, Mind, Progress, Wake, write};
use crate::storage::{baskets, erasures, products, user_events};

/// How many rows are read at once.
const PAGE: i64 = 2_000;

/// How many of them are learned before a question may come between.
const BITE: usize = 200;

/// How often to look for what other replicas have committed.
const SWEEP: Duration = Duration::from_millis(250);

/// How long to wait after an error of the database.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Starts learning from the last `days` days, and then from whatever comes. The health component `model` is up once
/// everything that was there at the start has been learned.
pub fn start(
    lifecycle: &Lifecycle,
    health: &Health,
    pool: PgPool,
    days: u16,
    wake: Wake,
) -> Knowledge {
    let mind = Arc::new(RwLock::new(Mind::new()));
    let (said, progress) = watch::channel(Progress::default());
    let learner = Learner {
        pool,
        mind: Arc::clone(&mind),
        since: clock::now() - TimeDelta::days(i64::from(days)),
        progress: Progress::default(),
        said,
        wake: wake.clone(),
        component: health.component("model"),
        begun: false,
    };
    lifecycle.spawn("learner", learner.run(lifecycle.soft()));
    Knowledge { mind, progress, wake }
}

struct Learner {
    pool: PgPool,
    mind: Arc<RwLock<Mind>>,
    since: DateTime<Utc>,
    progress: Progress,
    said: watch::Sender<Progress>,
    wake: Wake,
    component: Component,
    begun: bool,
}

impl Learner {
    async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        while let Some(passed) = stop.run_until_cancelled(self.pass()).await {
            match passed {
                Ok(true) => {}
                Ok(false) => {
                    self.progress.caught_up = true;
                    self.said.send_replace(self.progress);
                    self.component.up();
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = self.wake.called() => {}
                        () = tokio::time::sleep(SWEEP) => {}
                    }
                }
                Err(error) => {
                    let error = problem::chain(&error);
                    tracing::warn!(error, "the model does not learn for the moment");
                    stop.run_until_cancelled(tokio::time::sleep(AFTER_ERROR)).await;
                }
            }
        }
        Ok(())
    }

    /// Learns one page of each table, and says whether there may be more.
    async fn pass(&mut self) -> Result<bool, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        if !self.begun {
            // What was erased before the first events are read is not among them.
            self.progress.erasures = erasures::newest(&mut connection).await?;
            self.begun = true;
        }
        let mut more = self.learn_products(&mut connection).await?;
        more |= self.learn_baskets(&mut connection).await?;
        more |= self.learn_events(&mut connection).await?;
        // Erasures come last: an event that was read before its visitor was erased is forgotten in the same pass.
        more |= self.forget_erased(&mut connection).await?;
        drop(connection);
        self.said.send_replace(self.progress);
        Ok(more)
    }

    async fn learn_products(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let page = products::after(connection, self.progress.products, PAGE).await?;
        let more = is_full(&page);
        for bite in page.chunks(BITE) {
            let mut mind = write(&self.mind);
            for (change, known) in bite {
                match known {
                    products::Known::Product(facts) => mind.model.apply_product(facts.clone()),
                    products::Known::Deleted(product) => mind.model.remove_product(*product),
                }
                self.progress.products = *change;
            }
        }
        Ok(more)
    }

    async fn learn_baskets(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let page = baskets::after(connection, self.progress.baskets, self.since, PAGE).await?;
        let more = is_full(&page);
        for bite in page.chunks(BITE) {
            let mut mind = write(&self.mind);
            for basket in bite {
                mind.model.learn_basket(basket.order_id, &basket.products, basket.bought_at);
                self.progress.baskets = basket.no;
            }
        }
        Ok(more)
    }

    async fn learn_events(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let page = user_events::after(connection, self.progress.events, self.since, PAGE).await?;
        let more = is_full(&page);
        for bite in page.chunks(BITE) {
            let mut mind = write(&self.mind);
            for stored in bite {
                if let Some(event) = &stored.event {
                    mind.apply(event);
                }
                self.progress.events = stored.no;
            }
        }
        if let Some(newest) = page.last() {
            let count = u64::try_from(page.len()).unwrap_or_default();
            metrics::counter!("behavior_events_learned_total").increment(count);
            let age = clock::now().signed_duration_since(newest.received_at);
            metrics::histogram!("behavior_learning_delay_seconds").record(age.as_seconds_f64());
        }
        Ok(more)
    }

    async fn forget_erased(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let page = erasures::after(connection, self.progress.erasures, PAGE).await?;
        let more = is_full(&page);
        for (no, visitor) in page {
            if let Some(visitor) = visitor {
                write(&self.mind).model.forget_visitor(&visitor);
            }
            self.progress.erasures = no;
        }
        Ok(more)
    }
}

fn is_full<T>(page: &[T]) -> bool {
    i64::try_from(page.len()).is_ok_and(|length| length >= PAGE)
}
