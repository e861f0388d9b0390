//! User events out of the stream: each is stored once.

use contracts::behavior::UserEventV1;
use messaging::{Failure, Transaction, stream::StreamHandler};

use crate::{
    learning::Wake,
    storage::{turns, user_events},
};

/// Stores user events.
#[derive(Debug, Clone)]
pub struct KeepUserEvents(pub Wake);

impl StreamHandler for KeepUserEvents {
    async fn handle(&self, tx: &mut Transaction, messages: &[&[u8]]) -> Result<(), Failure> {
        let mut events: Vec<UserEventV1> = Vec::new();
        for message in messages {
            match serde_json::from_slice::<Vec<UserEventV1>>(message) {
                Ok(read) => events.extend(read),
                // Whoever wrote it, it was not the door; the stream keeps it for whoever wants to look.
                Err(error) => {
                    tracing::error!(error = problem::chain(&error), "a message is passed over");
                    metrics::counter!("behavior_messages_unreadable_total").increment(1);
                }
            }
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
