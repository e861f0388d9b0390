//! Deletes a merchandising rule.

use messaging::Transaction;
use runtime::clock;

use super::search_settings_error::SearchSettingsError;
use crate::{domain::Rule, publishes::search_rule_removed, storage::rules};

pub(crate) struct DeleteRuleCommand {
    /// Locked by the transaction.
    pub(crate) current: Rule,
}

/// Deletes the rule. The deletion is a version of its own.
pub(crate) async fn delete_rule(
    tx: &mut Transaction,
    command: DeleteRuleCommand,
) -> Result<(), SearchSettingsError> {
    let Rule { id, version, .. } = command.current;
    let (version, now) = (version.next(), clock::now());
    rules::remove(tx, id, version, now).await?;
    tx.emit(&search_rule_removed(id, version, now))?;
    Ok(())
}
