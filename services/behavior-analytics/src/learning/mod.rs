//! What the service has learned, kept in memory and fed from the tables.
//!
//! The model cannot commit with PostgreSQL, so it follows what is committed: a task tails each table by its numbers and
//! applies what is new. It is woken by commits of this process, and looks by itself for those of other replicas. A process
//! that starts reads the last days over again, and comes to the same model.

mod learner;
mod wake;

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use uuid::Uuid;

use crate::domain::{
    event::Event,
    model::{Model, ModelLimits},
    trending::{Trending, demand},
};

pub use learner::start;
pub use wake::Wake;

/// How long whoever erases a visitor waits until the model has forgotten them.
const FORGETTING: Duration = Duration::from_secs(10);

/// The half-life of the demand that is said to others.
const DEMAND_HALF_LIFE: chrono::TimeDelta = chrono::TimeDelta::days(1);

/// Of how many products demand is kept.
const DEMAND_PRODUCTS: usize = 50_000;

/// How far each table has been learned: the number of the last row.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    products: i64,
    baskets: i64,
    events: i64,
    erasures: i64,
    /// Whether everything that was there at the start has been learned.
    caught_up: bool,
}

/// The model, and beside it the demand for products that are not shown too.
#[derive(Debug)]
struct Mind {
    model: Model,
    demand: Trending,
}

impl Mind {
    fn new() -> Self {
        Self {
            model: Model::new(ModelLimits::default()),
            demand: Trending::new(DEMAND_HALF_LIFE, DEMAND_PRODUCTS),
        }
    }

    fn apply(&mut self, event: &Event) {
        self.model.apply(event);
        if let Some(weight) = demand(event.kind) {
            for product in event.products() {
                self.demand.count(product, weight, event.occurred_at);
            }
        }
    }
}

/// What the service has learned. Clones are the same knowledge.
#[derive(Debug, Clone)]
pub struct Knowledge {
    mind: Arc<RwLock<Mind>>,
    progress: watch::Receiver<Progress>,
    wake: Wake,
}

/// The model has not forgotten a visitor in time.
#[derive(Debug, thiserror::Error)]
#[error("the model has not forgotten the visitor within {FORGETTING:?}")]
pub struct NotForgotten;

/// A question had no answer.
#[derive(Debug, thiserror::Error)]
#[error("the model did not answer")]
pub struct Unanswered(#[source] tokio::task::JoinError);

impl From<Unanswered> for problem::Problem {
    fn from(error: Unanswered) -> Self {
        Self::internal_from(&error)
    }
}

impl Knowledge {
    /// Asks the model. Learning waits meanwhile, so a question is short.
    pub fn ask<T>(&self, question: impl FnOnce(&Model) -> T) -> T {
        question(&read(&self.mind).model)
    }

    /// Asks what takes longer, such as sums over all visits, on a thread where nobody waits for it.
    pub async fn ask_at_length<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Model) -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let mind = Arc::clone(&self.mind);
        let asked = tokio::task::spawn_blocking(move || question(&read(&mind).model));
        asked.await.map_err(Unanswered)
    }

    /// The demand for each product of the catalogue, by a half-life of a day; none until the learner has caught up.
    pub fn demand(&self, now: DateTime<Utc>) -> Option<Vec<(Uuid, f64)>> {
        if !self.progress.borrow().caught_up {
            return None;
        }
        let mind = read(&self.mind);
        let is_known = |product: Uuid| mind.model.product(product).is_some();
        let trends = mind.demand.top(now, DEMAND_PRODUCTS, is_known);
        Some(trends.into_iter().map(|trend| (trend.product, trend.count)).collect())
    }

    /// Waits until the model has forgotten the visitor of the committed erasure with this number.
    pub async fn has_forgotten(&self, erasure: i64) -> Result<(), NotForgotten> {
        self.wake.call();
        let mut progress = self.progress.clone();
        let forgotten = progress.wait_for(|progress| progress.erasures >= erasure);
        match tokio::time::timeout(FORGETTING, forgotten).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NotForgotten),
        }
    }
}

fn read(mind: &RwLock<Mind>) -> RwLockReadGuard<'_, Mind> {
    mind.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(mind: &RwLock<Mind>) -> RwLockWriteGuard<'_, Mind> {
    mind.write().unwrap_or_else(PoisonError::into_inner)
}
