//! Probes suspended partitions on a connection of their own, so that they never delay the others.

use std::time::Duration;

use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::{
    QUERY_TIMEOUT,
    leadership::Leadership,
    packing::{pack, settle},
    partition::Partition,
    publisher::{ConfirmTimeouts, Publisher},
    suspensions::SuspendedPartitions,
    table,
};
use crate::{
    error::{Error, causes, with_timeout},
    settings::Settings,
};

/// How long a probe waits for its confirm.
const CONFIRM_TIMEOUTS: ConfirmTimeouts =
    ConfirmTimeouts { first: Duration::from_secs(2), next: Duration::from_millis(500) };

/// Publishes the oldest event of each suspended partition after its delay. When it is confirmed, the relay publishes the
/// partition with the others again.
pub(super) struct Prober<'a> {
    pub(super) leadership: Leadership<'a>,
    pub(super) settings: &'a Settings,
    pub(super) suspended: &'a SuspendedPartitions,
}

impl Prober<'_> {
    /// Probes until `stop`.
    pub(super) async fn run(&self, stop: &CancellationToken) {
        let mut publisher: Option<Publisher> = None;
        loop {
            let changed = self.suspended.changed().notified();
            let next = self.suspended.next_retry();
            if next.is_none()
                && let Some(publisher) = publisher.take()
            {
                publisher.close().await;
            }
            let due = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = changed => continue,
                () = due => {}
            }
            let partitions = self.suspended.due();
            let probe = Box::pin(self.probe(&mut publisher, &partitions));
            let Some(probed) = stop.run_until_cancelled(probe).await else { break };
            if let Err(error) = probed {
                tracing::debug!(causes = ?causes(&error), "failed to probe suspended partitions");
                publisher = None;
                self.suspended.suspend(partitions.into_iter().collect());
            }
            self.settings.connections.suspended(self.suspended.names());
        }
    }

    async fn probe(
        &self,
        publisher: &mut Option<Publisher>,
        partitions: &[Partition],
    ) -> Result<(), Error> {
        let Some(epoch) = self.leadership.renew().await? else {
            self.suspended.clear();
            return Ok(());
        };
        let rows = with_timeout("reading the outbox", QUERY_TIMEOUT, async {
            let mut connection = self.leadership.outbox.pool().acquire().await?;
            table::read_oldest(&mut connection, partitions).await
        })
        .await?;
        let mut open = match publisher.take() {
            Some(open) => open,
            None => Publisher::connect(&self.settings.amqp_url, self.settings.service).await?,
        };
        let messages = pack(rows);
        let outgoing = self.leadership.encode(&messages, self.settings.service, epoch).await?;
        let confirms = open.publish(&outgoing, CONFIRM_TIMEOUTS).await?;
        if confirms.unanswered.is_empty() {
            *publisher = Some(open);
        }
        let settlement = settle(&messages, &confirms);
        self.leadership.settle(&settlement, &messages, &outgoing, epoch).await?;
        for partition in partitions {
            if !settlement.suspended.contains(partition) {
                tracing::info!(%partition, "the broker confirms again");
                self.suspended.release(partition);
            }
        }
        self.suspended.suspend(settlement.suspended);
        Ok(())
    }
}
