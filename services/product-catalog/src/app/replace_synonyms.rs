//! Replaces the list of synonyms.

use messaging::Transaction;
use runtime::clock;

use super::search_settings_error::SearchSettingsError;
use crate::{
    domain::{Synonym, SynonymList},
    publishes::search_synonyms_changed,
    storage::synonyms,
};

pub(crate) struct ReplaceSynonymsCommand {
    /// Locked by the transaction.
    pub(crate) current: SynonymList,
    pub(crate) synonyms: Vec<Synonym>,
}

/// Replaces the list. An equal list creates no version.
pub(crate) async fn replace_synonyms(
    tx: &mut Transaction,
    command: ReplaceSynonymsCommand,
) -> Result<SynonymList, SearchSettingsError> {
    let ReplaceSynonymsCommand { current, synonyms } = command;
    if current.synonyms == synonyms {
        return Ok(current);
    }
    let list = SynonymList { version: current.version.next(), synonyms, updated_at: clock::now() };
    synonyms::write(tx, &list).await?;
    tx.emit(&search_synonyms_changed(&list))?;
    Ok(list)
}
