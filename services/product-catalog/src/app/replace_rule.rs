//! Replaces a merchandising rule.

use messaging::Transaction;
use runtime::clock;

use super::search_settings_error::SearchSettingsError;
use crate::{
    domain::{Rule, RuleContent},
    publishes::search_rule_changed,
    storage::rules,
};

pub(crate) struct ReplaceRuleCommand {
    /// Locked by the transaction.
    pub(crate) current: Rule,
    pub(crate) content: RuleContent,
}

/// Replaces the content. Equal content creates no version.
pub(crate) async fn replace_rule(
    tx: &mut Transaction,
    command: ReplaceRuleCommand,
) -> Result<Rule, SearchSettingsError> {
    let ReplaceRuleCommand { current, content } = command;
    if current.content == content {
        return Ok(current);
    }
    let updated_at = clock::now().max(current.created_at);
    let rule = Rule { version: current.version.next(), content, updated_at, ..current };
    rules::write(tx, &rule).await?;
    tx.emit(&search_rule_changed(&rule))?;
    Ok(rule)
}
