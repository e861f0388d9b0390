//! Sends the last message of a quiet partition again, so that subscribers notice the loss of the last ones.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use envelope::BATCH_CONTENT_TYPE;

use super::{
    QUERY_TIMEOUT,
    leadership::Leadership,
    message_copies,
    positions::QuietPartition,
    publisher::{ConfirmTimeouts, OutgoingMessage, Publisher},
};
use crate::{
    error::{Error, causes, with_timeout},
    message_position::{PositionRange, Purpose},
    settings::Settings,
    signatures::Content,
};

/// How long a partition is quiet before its last message is sent again.
const QUIET_TIME: Duration = Duration::from_secs(20);

/// How often quiet partitions are looked for, in memory.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// How long a round of reminders waits for its confirms.
const CONFIRM_TIMEOUTS: ConfirmTimeouts =
    ConfirmTimeouts { first: Duration::from_secs(5), next: Duration::from_secs(2) };

/// Sends reminders for the leading relay.
pub(super) struct Reminders<'a> {
    pub(super) leadership: Leadership<'a>,
    pub(super) settings: &'a Settings,
}

impl Reminders<'_> {
    /// Sends reminders until `stop`. One that fails is not repeated: the next message of the partition shows a loss as well.
    pub(super) async fn run(&self, stop: &CancellationToken) {
        while stop.run_until_cancelled(sleep(CHECK_INTERVAL)).await.is_some() {
            if !self.leadership.may_publish(self.settings) {
                continue;
            }
            let Some(before) = Instant::now().checked_sub(QUIET_TIME) else { continue };
            let quiet = self.leadership.positions.take_quiet(before).await;
            if quiet.is_empty() {
                continue;
            }
            if let Err(error) = Box::pin(self.remind(quiet)).await {
                tracing::debug!(causes = ?causes(&error), "failed to send the last messages again");
            }
        }
    }

    async fn remind(&self, quiet: Vec<QuietPartition>) -> Result<(), Error> {
        let mut messages = Vec::new();
        for QuietPartition { partition, position } in quiet {
            let range = PositionRange { first: position.number, last: position.number };
            let copy = with_timeout("reading the message log", QUERY_TIMEOUT, async {
                let mut connection = self.leadership.outbox.pool().acquire().await?;
                message_copies::read(&mut connection, &partition, range, 1).await
            })
            .await?;
            let content = Content::Events { aggregate: &partition.aggregate, position };
            let signatures = self.leadership.outbox.signatures();
            messages.extend(copy.into_iter().map(|copy| OutgoingMessage {
                id: Uuid::new_v4(),
                exchange: self.settings.service.to_owned(),
                routing_key: partition.to_string(),
                content_type: BATCH_CONTENT_TYPE,
                signature: signatures.sign(content, &copy.body),
                body: copy.body,
                position: Some((position, Purpose::Reminder)),
            }));
        }
        let Settings { amqp_url, service, .. } = self.settings;
        let mut publisher = Publisher::connect_for(amqp_url, service, "reminders").await?;
        publisher.publish(&messages, CONFIRM_TIMEOUTS).await?;
        publisher.close().await;
        Ok(())
    }
}
