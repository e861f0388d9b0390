//! What would happen if a dead letter were sent again.

use std::{collections::HashMap, slice::from_ref};

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    decisions::Again,
    redriving::{NotPlayed, Redrive, Unresolved, pending},
};
use crate::{Error, Outbox, Topology, error::causes};

/// What would happen if a dead letter were sent again now.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun {
    /// What it would come to.
    pub outcome: Outcome,
    /// Why it would fail, outermost first; empty if it would not.
    pub causes: Vec<String>,
    /// What the handler would say.
    pub events: Vec<SaidEvent>,
}

/// What sending a dead letter again would come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its event would take effect.
    TakesEffect,
    /// Nobody here handles its type: the letter would be dealt with, and nothing else would happen.
    Ignored,
    /// Its event has taken effect already: the letter would be dealt with, and nothing else would happen.
    AlreadyDone,
    /// Something that stands before it must be dealt with first.
    NotYet,
    /// The handler would fail.
    Fails,
}

/// An event that a handler would say.
#[derive(Debug, Clone, Serialize)]
pub struct SaidEvent {
    /// Its type.
    pub kind: String,
    /// What it is about.
    pub aggregate: String,
    /// Its key.
    pub key: String,
    /// Itself.
    pub data: Box<RawValue>,
}

/// Hands a dead letter to its handler in a transaction that is rolled back whatever happens. Nothing is said, nothing is run that
/// waits for the commit, and the letter stays as it is. The cursor of its key is locked meanwhile.
pub async fn dry_run(outbox: &Outbox, topology: &Topology, id: Uuid) -> Result<DryRun, Unresolved> {
    let picked = pending(&mut *outbox.pool().acquire().await.map_err(Error::from)?, id).await?;
    let redrive = Redrive::of(outbox, topology, &picked, false)?;
    let mut tx = outbox.begin().await?;
    let played = redrive.play(&mut tx, from_ref(&picked.wanted), &HashMap::new()).await;
    let fails = |causes| DryRun { outcome: Outcome::Fails, causes, events: Vec::new() };
    let found = match played {
        Ok(played) => {
            let letter = played.desk.letters.first().zip(played.decided.first());
            let (letter, again) = letter.ok_or(Unresolved::NotPending(id))?;
            let outcome = match again {
                Again::NotYet => Outcome::NotYet,
                Again::Mark => Outcome::AlreadyDone,
                Again::Effect if redrive.handles(&letter.incoming.envelope.kind) => {
                    Outcome::TakesEffect
                }
                Again::Effect => Outcome::Ignored,
            };
            // What the commit would find out is asked now.
            let checked = sqlx::query!("set constraints all immediate").execute(&mut *tx).await;
            match checked.map_err(Error::from) {
                Ok(_) => Ok(DryRun { outcome, causes: Vec::new(), events: said(&tx)? }),
                Err(error) if error.is_outage() => Err(error),
                Err(error) => Ok(fails(causes(&error))),
            }
        }
        Err(NotPlayed::Failed(failed)) => Ok(fails(failed.into_values().flatten().collect())),
        // One letter is never split, nor taken apart.
        Err(NotPlayed::Split | NotPlayed::Apart) => Ok(fails(Vec::new())),
        Err(NotPlayed::Messaging(error)) => Err(error),
    };
    tx.rollback().await;
    Ok(found?)
}

/// The events that wait for the commit that does not come.
fn said(tx: &crate::Transaction) -> Result<Vec<SaidEvent>, Error> {
    let said = tx.said().iter().map(|event| {
        Ok(SaidEvent {
            kind: event.kind.to_owned(),
            aggregate: event.aggregate.to_owned(),
            key: event.key.clone(),
            data: RawValue::from_string(event.data.clone())?,
        })
    });
    said.collect()
}
