//! The model in memory, shared by the queries and the model updater.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use uuid::Uuid;

use super::model_waker::ModelWaker;
use crate::domain::model::{Model, ModelLimits};

/// How long an erasure waits until the model has forgotten the visitor.
const FORGET_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of the last row that the model has learned, per table.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ModelProgress {
    pub(crate) products: i64,
    pub(crate) baskets: i64,
    pub(crate) events: i64,
    pub(crate) erasures: i64,
    /// Whether the model has learned everything that was stored at the start.
    pub(crate) caught_up: bool,
}

/// Answers queries from the model. Clones share the model.
#[derive(Debug, Clone)]
pub(crate) struct Recommender {
    model: Arc<RwLock<Model>>,
    progress: watch::Receiver<ModelProgress>,
    waker: ModelWaker,
}

/// The model updater's access to a model.
#[derive(Debug)]
pub(crate) struct ModelWriter {
    model: Arc<RwLock<Model>>,
    progress: watch::Sender<ModelProgress>,
}

/// The model has not forgotten a visitor in time.
#[derive(Debug, thiserror::Error)]
#[error("the model has not forgotten the visitor within {FORGET_TIMEOUT:?}")]
pub(crate) struct ForgetTimeout;

/// The thread of a blocking query ended without a result.
#[derive(Debug, thiserror::Error)]
#[error("the query of the model failed")]
pub(crate) struct QueryFailed(#[source] tokio::task::JoinError);

impl Recommender {
    /// Creates an empty model. `waker` wakes the updater that feeds the returned [`ModelWriter`].
    pub(crate) fn new(waker: ModelWaker) -> (Self, ModelWriter) {
        let model = Arc::new(RwLock::new(Model::new(ModelLimits::default())));
        let (sender, progress) = watch::channel(ModelProgress::default());
        let writer = ModelWriter { model: Arc::clone(&model), progress: sender };
        (Self { model, progress, waker }, writer)
    }

    /// Runs a short query. The model updater waits meanwhile.
    pub(crate) fn query<T>(&self, query: impl FnOnce(&Model) -> T) -> T {
        read(&self.model, query)
    }

    /// Runs a longer query, such as a sum over all sessions, on the thread pool for blocking work.
    pub(crate) async fn query_blocking<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Model) -> T + Send + 'static,
    ) -> Result<T, QueryFailed> {
        let model = Arc::clone(&self.model);
        let task = tokio::task::spawn_blocking(move || read(&model, query));
        task.await.map_err(QueryFailed)
    }

    /// The demand for each product of the catalogue, with a half-life of one day; `None` until the model has
    /// caught up.
    pub(crate) fn demand(&self, now: DateTime<Utc>) -> Option<Vec<(Uuid, f64)>> {
        if !self.progress.borrow().caught_up {
            return None;
        }
        let trends = self.query(|model| model.demand(now));
        Some(trends.into_iter().map(|trend| (trend.product, trend.count)).collect())
    }

    /// Waits until the model has applied the committed erasure with this number.
    pub(crate) async fn wait_until_forgotten(&self, erasure: i64) -> Result<(), ForgetTimeout> {
        self.waker.wake();
        let mut progress = self.progress.clone();
        let forgotten = progress.wait_for(|progress| progress.erasures >= erasure);
        match tokio::time::timeout(FORGET_TIMEOUT, forgotten).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(ForgetTimeout),
        }
    }
}

impl ModelWriter {
    /// Changes the model. Queries wait meanwhile.
    pub(crate) fn update<T>(&self, update: impl FnOnce(&mut Model) -> T) -> T {
        update(&mut self.model.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// An empty model, which answers no queries yet.
    pub(crate) fn successor(&self) -> Self {
        let model = Arc::new(RwLock::new(Model::new(ModelLimits::default())));
        Self { model, progress: self.progress.clone() }
    }

    /// Answers queries from the model of `successor` from now on.
    pub(crate) fn replace_by(&self, successor: &Self) {
        let mut own = self.model.write().unwrap_or_else(PoisonError::into_inner);
        let mut other = successor.model.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *own, &mut *other);
    }

    /// Publishes how far the model has learned.
    pub(crate) fn publish_progress(&self, progress: ModelProgress) {
        self.progress.send_replace(progress);
    }
}

fn read<T>(model: &RwLock<Model>, query: impl FnOnce(&Model) -> T) -> T {
    query(&model.read().unwrap_or_else(PoisonError::into_inner))
}
