//! Building the index anew beside the one in use.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use messaging::Kit;
use runtime::{Lifecycle, clock};
use serde::Serialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    folder::Folder,
    generation::{Generation, TailError},
};
use crate::storage::changes;

/// Builds indexes on demand, one at a time, and hands them to the tail. Clones share everything.
#[derive(Debug, Clone)]
pub struct Rebuilder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kit: Kit,
    folder: Folder,
    lifecycle: Lifecycle,
    finished: mpsc::Sender<Generation>,
    rebuild: Mutex<Option<Rebuild>>,
}

/// The last rebuild that was asked for since the start of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Rebuild {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it failed, if it did; the index in use is then the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Rebuild {
    /// Whether it is still under way.
    pub const fn runs(&self) -> bool {
        self.finished_at.is_none()
    }
}

impl Rebuilder {
    pub(super) fn new(
        kit: Kit,
        folder: Folder,
        lifecycle: Lifecycle,
        finished: mpsc::Sender<Generation>,
    ) -> Self {
        let rebuild = Mutex::new(None);
        Self(Arc::new(Inner { kit, folder, lifecycle, finished, rebuild }))
    }

    /// The last rebuild.
    pub fn last(&self) -> Option<Rebuild> {
        self.0.rebuild.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts a rebuild, or answers the one that runs.
    pub fn start(&self) -> Rebuild {
        let mut last = self.0.rebuild.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = last.as_ref().filter(|rebuild| rebuild.runs()) {
            return running.clone();
        }
        let started = Rebuild { started_at: clock::now(), finished_at: None, error: None };
        *last = Some(started.clone());
        drop(last);
        let (this, stopping) = (self.clone(), self.0.lifecycle.soft());
        self.0.lifecycle.spawn("rebuild", async move {
            let built = stopping.run_until_cancelled(this.build()).await;
            if let Some(Err(error)) = built {
                tracing::error!(error = problem::chain(&error), "the index could not be rebuilt");
                this.finished(Some(problem::chain(&error)));
            }
            Ok::<_, std::convert::Infallible>(())
        });
        started
    }

    async fn build(&self) -> Result<(), TailError> {
        let Inner { kit, folder, finished, .. } = &*self.0;
        let source = changes::read(&mut *kit.pool().acquire().await?).await?.source;
        let generation = build(kit, folder, source).await?;
        // Where nobody takes it the process is ending, and the next one sweeps it away.
        let _ = finished.send(generation).await;
        Ok(())
    }

    /// Notes that the rebuild under way, if there is one, has ended.
    pub(super) fn finished(&self, error: Option<String>) {
        let mut last = self.0.rebuild.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rebuild) = last.as_mut().filter(|rebuild| rebuild.runs()) {
            rebuild.finished_at = Some(clock::now());
            rebuild.error = error;
        }
    }
}

/// A new generation with all that is committed by now, in one segment.
pub(super) async fn build(
    kit: &Kit,
    folder: &Folder,
    source: Uuid,
) -> Result<Generation, TailError> {
    let held = folder.clone();
    let fresh = tokio::task::spawn_blocking(move || Generation::fresh(held, source));
    let mut generation = fresh.await??;
    let built = fill(&mut generation, kit).await;
    match built {
        Ok(()) => Ok(generation),
        Err(error) => {
            let path = generation.path.clone();
            drop(generation);
            // A disk that is full is not to stay full for it.
            if let Err(error) = tokio::fs::remove_dir_all(&path).await {
                tracing::warn!(%error, "what was built in vain cannot be removed");
            }
            Err(error)
        }
    }
}

async fn fill(generation: &mut Generation, kit: &Kit) -> Result<(), TailError> {
    generation.commit(Vec::new(), 0).await?;
    generation.catch_up(kit).await?;
    generation.compact().await
}
