//! The response body for a change, and waiting for its progress.

use std::time::Duration;

use chrono::{DateTime, Utc};
use problem::Problem;
use serde::Serialize;
use sqlx::PgPool;
use tokio::time::Instant;
use utoipa::ToSchema;
use vocabulary::{ChangeId, ProductId, Version};

use crate::{
    app::{ChangeWatcher, ChangeWatchers},
    domain::{Change, DownstreamProgress, DownstreamStatus, downstream_progress},
    storage::{changes, receipts},
};

/// The interval of queries while a request waits: another process may have received the receipt.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A write to a product, and its progress.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Change)]
pub(super) struct ChangeView {
    id: ChangeId,
    product_id: ProductId,
    /// The version that the write created.
    version: Version,
    /// Whether every service has applied the change.
    pub(super) complete: bool,
    /// The progress in each service.
    downstream: Vec<DownstreamView>,
}

/// The progress of a change in one service.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Downstream)]
struct DownstreamView {
    /// The directory name of the service.
    #[schema(value_type = String, example = "search-sync")]
    service: &'static str,
    status: DownstreamStatusView,
    applied_at: Option<DateTime<Utc>>,
    /// Milliseconds from the write to `applied_at`.
    latency_ms: Option<i64>,
    /// Why the service failed to apply the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The status of a change in one service.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DownstreamStatus)]
enum DownstreamStatusView {
    /// The service has not confirmed the change yet.
    Pending,
    /// The service has applied the change, or a later version.
    Applied,
    /// The service recorded a dead letter, which an operator must resolve.
    Failed,
}

impl ChangeView {
    /// The current state of `change`.
    pub(super) async fn read(pool: &PgPool, change: &Change) -> Result<Self, Problem> {
        let mut connection = pool.acquire().await?;
        let receipts = receipts::for_change(&mut connection, change).await?;
        let progress = downstream_progress(change, &receipts);
        let complete = progress.iter().all(|one| one.status == DownstreamStatus::Applied);
        let downstream = progress.into_iter().map(DownstreamView::from).collect();
        let Change { id, product_id, version, .. } = *change;
        Ok(Self { id, product_id, version, complete, downstream })
    }
}

impl From<DownstreamProgress> for DownstreamView {
    fn from(progress: DownstreamProgress) -> Self {
        let DownstreamProgress { service, status, applied_at, latency_ms, reason } = progress;
        Self { service, status: status.into(), applied_at, latency_ms, reason }
    }
}

impl From<DownstreamStatus> for DownstreamStatusView {
    fn from(status: DownstreamStatus) -> Self {
        match status {
            DownstreamStatus::Pending => Self::Pending,
            DownstreamStatus::Applied => Self::Applied,
            DownstreamStatus::Failed => Self::Failed,
        }
    }
}

/// The change, or 404.
pub(super) async fn find_change(pool: &PgPool, id: ChangeId) -> Result<Change, Problem> {
    let mut connection = pool.acquire().await?;
    let change = changes::find(&mut connection, id).await?;
    change.ok_or_else(|| Problem::not_found(format_args!("change {id}")))
}

/// Watches the product of `change`; 503 if too many requests wait.
pub(super) fn watch_change(
    watchers: &ChangeWatchers,
    change: &Change,
) -> Result<ChangeWatcher, Problem> {
    watchers.watch(change.product_id).ok_or_else(|| {
        Problem::unavailable("too_many_followers", Duration::from_secs(1))
            .detail("Too many requests wait for changes.")
    })
}

/// Waits until the state may have changed, and returns whether that was before `deadline`.
pub(super) async fn wait_for_change(watcher: &mut ChangeWatcher, deadline: Instant) -> bool {
    let poll = Instant::now() + POLL_INTERVAL;
    watcher.changed(poll.min(deadline)).await.is_some() || poll < deadline
}
