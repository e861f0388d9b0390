//! Putting the data of a dead letter right.

use envelope::Envelope;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{Error, Outbox, Topology, error::causes};

/// Why a dead letter was not changed.
#[derive(Debug, thiserror::Error)]
pub enum NotEdited {
    /// There is none of this id, or somebody has dealt with it already.
    #[error("there is no pending dead letter {0}")]
    NotPending(Uuid),
    /// It holds no event of which the data could be changed.
    #[error("the dead letter holds no event, so that there is no data to be changed")]
    NoEvent,
    /// The handler could not read the new data either.
    #[error("the data does not fit the type of the event: {}", .0.join(": "))]
    DoesNotFit(Vec<String>),
    /// The new data is about something else. Which key an event belongs to cannot be changed: it has a number there.
    #[error("the event is about {key}, and the data about {of_data}")]
    OtherKey {
        /// The key of the event.
        key: String,
        /// The key that the data says.
        of_data: String,
    },
    /// The database failed.
    #[error(transparent)]
    Messaging(#[from] Error),
}

/// Replaces the data of a pending dead letter. Everything else of its envelope stays, and the payload as it came is kept beside
/// it. Where a handler is there for it, it must be able to read the data.
pub async fn edit(
    outbox: &Outbox,
    topology: &Topology,
    id: Uuid,
    data: Box<RawValue>,
) -> Result<(), NotEdited> {
    let mut tx = outbox.begin().await?;
    // Of the letter alone: whoever holds its cursor may wait for it, but it waits for nobody.
    let row = sqlx::query!(
        r#"
        select consumer, seq is not null as "is_event!", payload from messaging.dead_letter
        where id = $1 and state = 'pending'
        for update
        "#,
        id,
    )
    .fetch_optional(&mut *tx)
    .await
    .map_err(Error::from)?;
    let row = row.ok_or(NotEdited::NotPending(id))?;
    let envelope: Option<Envelope> = serde_json::from_slice(&row.payload).ok();
    let envelope = envelope.filter(|_| row.is_event).ok_or(NotEdited::NoEvent)?;
    let envelope = Envelope { data, ..envelope };
    if let Some(handler) = topology.handler(&row.consumer, &envelope.kind) {
        let of_data =
            handler.read(&envelope).map_err(|error| NotEdited::DoesNotFit(causes(&error)))?;
        if of_data != envelope.subject {
            return Err(NotEdited::OtherKey { key: envelope.subject, of_data });
        }
    }
    sqlx::query!(
        r#"
        update messaging.dead_letter
        set payload = $2, original = coalesce(original, payload), edited_at = now()
        where id = $1
        "#,
        id,
        serde_json::to_vec(&envelope).map_err(Error::from)?,
    )
    .execute(&mut *tx)
    .await
    .map_err(Error::from)?;
    Ok(tx.commit().await?)
}
