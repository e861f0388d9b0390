//! Publishes the synonyms that a new shop begins with.

use messaging::Outbox;

use super::search_settings_error::SearchSettingsError;
use crate::{publishes::search_synonyms_changed, storage::synonyms};

/// Emits the event of the list that a migration has inserted, unless it was emitted before. Several processes may
/// do so at once: the row is locked.
pub(crate) async fn publish_synonyms(outbox: &Outbox) -> Result<(), SearchSettingsError> {
    let mut tx = outbox.begin().await?;
    if let Some(list) = synonyms::publish(&mut tx).await? {
        tx.emit(&search_synonyms_changed(&list))?;
        tx.commit().await?;
    }
    Ok(())
}
