//! Building again, from the stream, what is stored of visitors: what reports, sessions and funnels are computed from.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use contracts::behavior::{USER_EVENTS_STREAM, UserEventV1};
use messaging::{
    Kit,
    replay::{self, Mode, Projection, ReplayError, Report, Table, Tape},
};
use runtime::clock;

use crate::{
    consumes::behavior_analytics::user_events::{KeepUserEvents, READER},
    learning::Wake,
};

/// What can be built again.
pub const USER_EVENTS: &str = "user_events";

/// What is about to be deleted for its age is left alone for so long before.
const MARGIN: TimeDelta = TimeDelta::hours(1);

/// Replays of the stream. Clones are the same.
#[derive(Debug, Clone)]
pub struct Replays {
    kit: Kit,
    amqp_url: Arc<str>,
    retention: TimeDelta,
    wake: Wake,
}

impl Replays {
    /// Replays into the database of `kit`, where events are kept for `retention_days`.
    pub fn new(kit: Kit, amqp_url: &str, retention_days: u16, wake: Wake) -> Self {
        let retention = TimeDelta::days(i64::from(retention_days));
        Self { kit, amqp_url: amqp_url.into(), retention, wake }
    }

    /// Builds the stored user events again. What became of each event when it came stays as it was counted.
    pub async fn user_events(&self, mode: Mode) -> Result<Report, ReplayError> {
        let projection = Projection::of(USER_EVENTS)
            .table(Table::of("user_event").since("received_at"))
            .scratch("intake_count")
            // Nobody is erased while the shadow is compared, and who was erased since it was filled is not brought back.
            .turn("select from turn where name = 'erasure' for share")
            .tidy("delete from user_event e using erasure x where x.visitor_id = e.visitor_id");
        let tape = Tape {
            stream: USER_EVENTS_STREAM,
            consumer: READER,
            handler: Arc::new(KeepUserEvents(self.wake.clone())),
            newest: newest_received,
            not_before: Some(clock::now() - self.retention + MARGIN),
        };
        replay::from_stream(&self.kit, &self.amqp_url, &projection, tape, mode).await
    }
}

/// When the last event of a message was taken in.
fn newest_received(message: &[u8]) -> Option<DateTime<Utc>> {
    let events: Vec<UserEventV1> = serde_json::from_slice(message).ok()?;
    events.iter().map(|event| event.received_at).max()
}
