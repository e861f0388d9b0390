//! Store user events that were read from the stream.

use contracts::behavior::UserEventV1;
use messaging::{Failure, Transaction};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    classify_events::{Histories, NewEvent},
    model_waker::ModelWaker,
};
use crate::{
    domain::visitor_history::{Classification, EventFacts},
    storage::{
        user_events::{self, NewUserEvent},
        write_locks,
    },
};

/// The name under which the stream reader's position and dead letters are stored.
pub(crate) const CONSUMER: &str = "user-events";

/// Decodes the messages and stores each event once, with its verdict. Rejects the batch if one message cannot be decoded; the
/// messaging kit then isolates that message.
pub(crate) async fn store_user_events(
    tx: &mut Transaction,
    messages: &[&[u8]],
    waker: &ModelWaker,
    histories: &Histories,
) -> Result<(), Failure> {
    let mut events: Vec<UserEventV1> = Vec::new();
    for message in messages {
        let decoded = serde_json::from_slice::<Vec<UserEventV1>>(message);
        events.extend(decoded.map_err(|error| Failure::reject("undecodable", error))?);
    }
    write_locks::lock_erasures_shared(tx).await?;
    let batch: Vec<NewEvent<'_>> = events.iter().map(new_event).collect();
    let classified = histories.classify(tx, &batch).await?;
    let events = events.iter().zip(&classified.classifications);
    let events: Vec<NewUserEvent<'_>> =
        events.map(|(event, classification)| new_user_event(event, *classification)).collect();
    let counts = user_events::insert(tx, &events).await?;
    let newest = user_events::newest(tx).await?;
    let histories = histories.clone();
    tx.after_commit(move || {
        histories.remember(classified, newest);
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

fn new_event(event: &UserEventV1) -> NewEvent<'_> {
    let facts = EventFacts {
        kind: event.kind.parse().ok(),
        product_id: event.product_id.map(Uuid::from),
        product_is_known: true,
        occurred_at: event.occurred_at,
        received_at: event.received_at,
        user_agent: event.user_agent.as_deref(),
        signed: event.signed,
        consent: event.consent,
        visitor_place: event.visitor_place,
    };
    NewEvent { event_id: event.event_id, visitor_id: &event.visitor_id, facts }
}

fn new_user_event(event: &UserEventV1, classification: Classification) -> NewUserEvent<'_> {
    NewUserEvent {
        event_id: event.event_id,
        kind: &event.kind,
        visitor_id: &event.visitor_id,
        session_id: &event.session_id,
        product_id: event.product_id.map(Uuid::from),
        occurred_at: event.occurred_at,
        received_at: event.received_at,
        properties: event.properties.as_deref().map(RawValue::get),
        signed: event.signed,
        consent: event.consent,
        user_agent: event.user_agent.as_deref(),
        visitor_place: event.visitor_place,
        clock_offset_ms: event.clock_offset_ms,
        classification,
    }
}
