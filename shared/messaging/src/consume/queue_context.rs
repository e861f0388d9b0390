//! What the tasks of one queue share: its subscription and its slots.

use std::{collections::BTreeMap, time::Duration};

use tokio::sync::Notify;

use super::{batch_processor::BatchProcessor, subscription::Subscription};
use crate::{error::with_timeout, publish::outbox::Outbox};

/// How often the same events may fail in a row as if the database was unavailable before it is asked whether it is. An outage that
/// ends by itself lasts shorter: with the delays between attempts this takes about ten seconds.
const MAX_OUTAGES: u32 = 8;

/// The timeout of a query without work.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct QueueContext {
    pub(super) outbox: Outbox,
    pub(super) queue: String,
    pub(super) consumer: String,
    pub(super) subscription: Subscription,
    /// Whether the queue is not of the setting: it belongs to a larger number of slot groups.
    pub(super) is_former: bool,
    /// The slots whose parked events are retried here, and whose missing messages are asked for.
    pub(super) slots: Vec<i16>,
    /// The slots of which messages may be in the queue, each with the other queues in which they may be.
    pub(super) arriving: BTreeMap<i16, Vec<String>>,
    /// Notified when the queue has parked events.
    pub(super) parked: Notify,
}

impl QueueContext {
    pub(super) fn processor(&self, is_suspect: bool) -> BatchProcessor<'_> {
        BatchProcessor {
            outbox: &self.outbox,
            subscription: &self.subscription,
            consumer: &self.consumer,
            is_suspect,
        }
    }

    /// Whether events are the cause that have failed `outages` times in a row as if the database was unavailable: it answers
    /// nevertheless.
    pub(super) async fn are_suspect(&self, outages: u32) -> bool {
        let is_suspect = outages >= MAX_OUTAGES && self.database_answers().await;
        if is_suspect {
            tracing::warn!(
                queue = self.queue,
                outages,
                "the database answers; the events are to blame"
            );
        }
        is_suspect
    }

    async fn database_answers(&self) -> bool {
        let ping = sqlx::query_scalar!("select 1").fetch_one(self.outbox.pool());
        with_timeout("a query without work", PING_TIMEOUT, ping).await.is_ok()
    }
}
