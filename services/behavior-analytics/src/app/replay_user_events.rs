//! Replay user events: rebuild the stored events from the stream.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use contracts::behavior::{USER_EVENTS_STREAM, UserEventV1};
use messaging::{
    Failure, Outbox, Transaction,
    replay::{self, Mode, Projection, ReplayError, ReplayReport, StreamSource, Table},
    streams::StreamHandler,
};
use runtime::clock;

use super::{
    classify_events::Histories,
    model_waker::ModelWaker,
    store_user_events::{CONSUMER, store_user_events},
};

/// The projection that can be replayed.
pub(crate) const USER_EVENTS: &str = "user_events";

/// Events that retention deletes within this time are not compared.
const RETENTION_MARGIN: TimeDelta = TimeDelta::hours(1);

/// Replays the stream of user events. Clones are equal.
#[derive(Debug, Clone)]
pub(crate) struct UserEventReplayer {
    outbox: Outbox,
    amqp_url: Arc<str>,
    retention: TimeDelta,
    waker: ModelWaker,
}

/// Stores replayed events like the live consumer does.
#[derive(Debug)]
struct StoreReplayedEvents(ModelWaker);

impl StreamHandler for StoreReplayedEvents {
    async fn handle(&self, tx: &mut Transaction, messages: &[&[u8]]) -> Result<(), Failure> {
        // The shadow has other rows than those that the live reader remembers.
        store_user_events(tx, messages, &self.0, &Histories::default()).await
    }
}

impl UserEventReplayer {
    pub(crate) fn new(
        outbox: Outbox,
        amqp_url: &str,
        retention_days: u16,
        waker: ModelWaker,
    ) -> Self {
        let retention = TimeDelta::days(i64::from(retention_days));
        Self { outbox, amqp_url: amqp_url.into(), retention, waker }
    }

    /// Rebuilds the stored user events. The counts of received events are not rebuilt.
    pub(crate) async fn replay(&self, mode: Mode) -> Result<ReplayReport, ReplayError> {
        let projection = Projection::new(USER_EVENTS)
            .table(
                // Verdicts follow from the rules, not from the stream.
                Table::new("user_event")
                    .since("received_at")
                    .ignoring("verdict")
                    .ignoring("weight"),
            )
            .scratch("intake_count")
            // Blocks erasures while the shadow is compared, and removes visitors that were erased after it
            // was filled.
            .before_lock("select from write_lock where name = 'erasure' for share")
            .before_compare(
                "delete from user_event e using erasure x where x.visitor_id = e.visitor_id",
            );
        let source = StreamSource {
            stream: USER_EVENTS_STREAM,
            consumer: CONSUMER,
            handler: Arc::new(StoreReplayedEvents(self.waker.clone())),
            newest: newest_received,
            not_before: Some(clock::now() - self.retention + RETENTION_MARGIN),
        };
        replay::from_stream(&self.outbox, &self.amqp_url, &projection, source, mode).await
    }
}

/// The latest `received_at` of a message's events.
fn newest_received(message: &[u8]) -> Option<DateTime<Utc>> {
    let events: Vec<UserEventV1> = serde_json::from_slice(message).ok()?;
    events.iter().map(|event| event.received_at).max()
}
