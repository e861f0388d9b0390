//! Store user events that were read from the stream.

use contracts::behavior::UserEventV1;
use messaging::{Failure, Transaction};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::model_waker::ModelWaker;
use crate::storage::{
    user_events::{self, NewUserEvent},
    write_locks,
};

/// The name under which the stream reader's position and dead letters are stored.
pub(crate) const CONSUMER: &str = "user-events";

/// Decodes the messages and stores each event once. Rejects the batch if one message cannot be decoded; the
/// messaging kit then isolates that message.
pub(crate) async fn store_user_events(
    tx: &mut Transaction,
    messages: &[&[u8]],
    waker: &ModelWaker,
) -> Result<(), Failure> {
    let mut events: Vec<UserEventV1> = Vec::new();
    for message in messages {
        let decoded = serde_json::from_slice::<Vec<UserEventV1>>(message);
        events.extend(decoded.map_err(|error| Failure::reject("undecodable", error))?);
    }
    let events: Vec<NewUserEvent<'_>> = events.iter().map(new_user_event).collect();
    write_locks::lock_erasures_shared(tx).await?;
    let counts = user_events::insert(tx, &events).await?;
    tx.after_commit(move || {
        let outcomes = [
            ("stored", counts.stored),
            ("duplicate", counts.duplicates()),
            ("dropped", counts.dropped),
        ];
        for (outcome, count) in outcomes {
            let count = u64::try_from(count).unwrap_or_default();
            metrics::counter!("behavior_events_total", "outcome" => outcome).increment(count);
        }
    });
    waker.wake_after_commit(tx);
    Ok(())
}

fn new_user_event(event: &UserEventV1) -> NewUserEvent<'_> {
    NewUserEvent {
        event_id: event.event_id,
        kind: &event.kind,
        visitor_id: &event.visitor_id,
        session_id: &event.session_id,
        product_id: event.product_id.map(Uuid::from),
        occurred_at: event.occurred_at,
        received_at: event.received_at,
        properties: event.properties.as_deref().map(RawValue::get),
    }
}
