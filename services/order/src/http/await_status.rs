//! Waiting until an order reaches a status.

use std::time::Duration;

use messaging::Outbox;
use problem::Problem;
use tokio::time::Instant;
use vocabulary::OrderId;

use super::{MAX_WAIT, POLL_INTERVAL, access::order_not_found, status_body::StatusBody};
use crate::{
    app::order_process::{OrderChange, OrderWatcher},
    domain::OrderStatus,
    storage::orders,
};

/// The default of `wait_ms`.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);

/// Which status to wait for, and until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Awaited {
    status: OrderStatus,
    deadline: Instant,
}

impl Awaited {
    /// From the query parameters `wait_for` and `wait_ms`.
    pub(super) fn new(status: StatusBody, wait_ms: Option<u64>) -> Self {
        let wait = wait_ms.map_or(DEFAULT_WAIT, Duration::from_millis).min(MAX_WAIT);
        Self { status: status.into(), deadline: Instant::now() + wait }
    }

    /// Waits until the order, which is `current` now, has reached the status or cannot reach it any more, and at the latest
    /// until the deadline. `watcher` must watch since before `current` was read. Returns the last change that it waited for.
    pub(super) async fn wait(
        self,
        outbox: &Outbox,
        order: OrderId,
        watcher: &mut OrderWatcher,
        current: OrderStatus,
    ) -> Result<Option<OrderChange>, Problem> {
        let (mut status, mut last) = (current, None);
        while status.may_become(self.status) && Instant::now() < self.deadline {
            let poll_at = self.deadline.min(Instant::now() + POLL_INTERVAL);
            last = watcher.changed(poll_at).await;
            status = match &last {
                Some(change) => change.status,
                None => status_of(outbox, order).await?,
            };
        }
        Ok(last)
    }
}

/// The status of an order that the caller may read.
pub(super) async fn status_of(outbox: &Outbox, order: OrderId) -> Result<OrderStatus, Problem> {
    let mut connection = outbox.pool().acquire().await?;
    let found = orders::customer_and_status(&mut connection, order).await?;
    found.map(|(_, status)| status).ok_or_else(|| order_not_found(order))
}
