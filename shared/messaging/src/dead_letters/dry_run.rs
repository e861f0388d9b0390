//! Simulates a redrive.

use std::{collections::HashMap, slice::from_ref};

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    plan::RedriveDecision,
    redrive::{AttemptError, Redriver, ResolveError, find_pending},
};
use crate::{
    error::{Error, causes},
    publish::{outbox::Outbox, transaction::Transaction},
    topology::Topology,
};

/// What a redrive would do now.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun {
    pub outcome: DryRunOutcome,
    /// The errors of the handler, outermost first; empty if it would succeed.
    pub causes: Vec<String>,
    /// The events that the handler would emit.
    pub events: Vec<EmittedEvent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DryRunOutcome {
    TakesEffect,
    /// The subscription ignores the event type: the letter would be resolved without an effect.
    Ignored,
    /// The event was applied already: the letter would be resolved without an effect.
    AlreadyDone,
    /// An earlier event or letter of the key must be resolved first.
    NotYet,
    /// The handler would fail.
    Fails,
}

/// An event that a handler would emit.
#[derive(Debug, Clone, Serialize)]
pub struct EmittedEvent {
    pub kind: String,
    pub aggregate: String,
    pub key: String,
    pub data: Box<RawValue>,
}

/// Passes a dead letter to its handler in a transaction that is always rolled back: no event is published, no action runs after a
/// commit, and the letter stays unchanged. The cursor of its key is locked meanwhile.
pub async fn dry_run(
    outbox: &Outbox,
    topology: &Topology,
    id: Uuid,
) -> Result<DryRun, ResolveError> {
    let selected =
        find_pending(&mut *outbox.pool().acquire().await.map_err(Error::from)?, id).await?;
    let redriver = Redriver::new(outbox, topology, &selected, false)?;
    let mut tx = outbox.begin().await?;
    let attempt = redriver.apply(&mut tx, from_ref(&selected.letter), &HashMap::new()).await;
    let fails = |causes| DryRun { outcome: DryRunOutcome::Fails, causes, events: Vec::new() };
    let found = match attempt {
        Ok(applied) => {
            let letter = applied.batch.letters.first().zip(applied.decisions.first());
            let (letter, decision) = letter.ok_or(ResolveError::NotPending(id))?;
            let outcome = match decision {
                RedriveDecision::NotYet => DryRunOutcome::NotYet,
                RedriveDecision::MarkResolved => DryRunOutcome::AlreadyDone,
                RedriveDecision::Apply if redriver.handles(&letter.event.envelope.kind) => {
                    DryRunOutcome::TakesEffect
                }
                RedriveDecision::Apply => DryRunOutcome::Ignored,
            };
            // Deferred constraints are checked now instead of at the commit.
            let checked = sqlx::query!("set constraints all immediate").execute(&mut *tx).await;
            match checked.map_err(Error::from) {
                Ok(_) => Ok(DryRun { outcome, causes: Vec::new(), events: emitted(&tx)? }),
                Err(error) if error.is_outage() => Err(error),
                Err(error) => Ok(fails(causes(&error))),
            }
        }
        Err(AttemptError::Failed(failed)) => Ok(fails(failed.into_values().flatten().collect())),
        // A single letter is never split.
        Err(AttemptError::BatchFailed | AttemptError::TimedOut) => Ok(fails(Vec::new())),
        Err(AttemptError::Messaging(error)) => Err(error),
    };
    tx.rollback().await;
    Ok(found?)
}

/// The events that wait for the commit.
fn emitted(tx: &Transaction) -> Result<Vec<EmittedEvent>, Error> {
    let events = tx.pending().iter().map(|event| {
        Ok(EmittedEvent {
            kind: event.kind.to_owned(),
            aggregate: event.aggregate.to_owned(),
            key: event.key.clone(),
            data: RawValue::from_string(event.data.clone())?,
        })
    });
    events.collect()
}
