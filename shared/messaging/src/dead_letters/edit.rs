//! Corrects the data of a dead letter.

use envelope::Envelope;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    error::{Error, causes},
    publish::outbox::Outbox,
    topology::Topology,
};

/// Why a dead letter was not edited.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It does not exist or is resolved already.
    #[error("there is no pending dead letter {0}")]
    NotPending(Uuid),
    #[error("the dead letter holds no event, so it has no data to edit")]
    NoEvent,
    /// The handler could not decode the new data either.
    #[error("the data violates the type of the event: {}", .0.join(": "))]
    DoesNotFit(Vec<String>),
    /// The new data belongs to another key. The key cannot change, because the event has a sequence number there.
    #[error("the event has the key {key}, but the data has the key {of_data}")]
    OtherKey { key: String, of_data: String },
    #[error(transparent)]
    Messaging(#[from] Error),
}

/// Replaces the data of a pending dead letter. The rest of the envelope stays, and the original payload is kept. If the event has
/// a handler, it must be able to decode the data.
pub async fn edit(
    outbox: &Outbox,
    topology: &Topology,
    id: Uuid,
    data: Box<RawValue>,
) -> Result<(), EditError> {
    let mut tx = outbox.begin().await?;
    // Locks the letter only: holders of the cursor may wait for it, but it waits for no other lock.
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
    let row = row.ok_or(EditError::NotPending(id))?;
    let envelope: Option<Envelope> = serde_json::from_slice(&row.payload).ok();
    let envelope = envelope.filter(|_| row.is_event).ok_or(EditError::NoEvent)?;
    let envelope = Envelope { data, ..envelope };
    if let Some(handler) = topology.handler(&row.consumer, &envelope.kind) {
        let of_data =
            handler.decode_key(&envelope).map_err(|error| EditError::DoesNotFit(causes(&error)))?;
        if of_data != envelope.subject {
            return Err(EditError::OtherKey { key: envelope.subject, of_data });
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
