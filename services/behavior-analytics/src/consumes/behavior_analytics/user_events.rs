//! User events out of the stream: each is stored once.

use contracts::behavior::UserEventV1;
use messaging::{Failure, Transaction, stream::StreamHandler};

use crate::{
    learning::Wake,
    storage::{turns, user_events},
};

/// The name under which the offset in the stream is kept, and the dead letters out of it.
pub const READER: &str = "user-events";

/// Stores user events.
#[derive(Debug, Clone)]
pub struct KeepUserEvents(pub Wake);

impl StreamHandler for KeepUserEvents {
    async fn handle(&self, tx: &mut Transaction, messages: &[&[u8]]) -> Result<(), Failure> {
        let mut events: Vec<UserEventV1> = Vec::new();
        for message in messages {
            // Whoever wrote what cannot be read, it was not the door: the kit finds it among the others and keeps it.
            let read = serde_json::from_slice::<Vec<UserEventV1>>(message);
            events.extend(read.map_err(|error| Failure::reject("undecodable", error))?);
        }
        turns::heed_erasures(tx).await?;
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
        self.0.after(tx);
        Ok(())
    }
}
