//! Erase a visitor: delete the stored data, and wait until the model has forgotten the visitor.

use chrono::{DateTime, Utc};
use messaging::Outbox;

use super::recommender::{ForgetTimeout, Recommender};
use crate::{domain::identity::VisitorId, storage::erasures};

#[derive(Debug)]
pub(crate) struct EraseVisitorCommand<'a> {
    pub(crate) visitor: &'a VisitorId,
    /// The subject of the caller's token, for the log.
    pub(crate) actor: &'a str,
    pub(crate) erased_at: DateTime<Utc>,
}

/// Why an erasure is not complete.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EraseVisitorError {
    #[error("the visitor could not be erased from the tables")]
    NotErased(#[from] messaging::Error),
    /// The tables are erased; the model still knows the visitor.
    #[error(transparent)]
    ModelBusy(#[from] ForgetTimeout),
}

/// Deletes events and baskets of a visitor and records the erasure. Later events of the visitor are dropped.
pub(crate) async fn erase_visitor(
    outbox: &Outbox,
    recommender: &Recommender,
    command: EraseVisitorCommand<'_>,
) -> Result<(), EraseVisitorError> {
    let mut tx = outbox.begin().await?;
    let erasure = erasures::erase(&mut tx, command.visitor, command.erased_at)
        .await
        .map_err(messaging::Error::from)?;
    tx.commit().await?;
    tracing::info!(erasure, actor = command.actor, "erased a visitor");
    recommender.wait_until_forgotten(erasure).await?;
    Ok(())
}
