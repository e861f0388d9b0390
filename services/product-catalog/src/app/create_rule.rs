//! Creates a merchandising rule.

use messaging::Transaction;
use runtime::clock;
use vocabulary::{RuleId, Version};

use super::search_settings_error::SearchSettingsError;
use crate::{
    domain::{MAX_RULES, Rule, RuleContent},
    publishes::search_rule_changed,
    storage::rules,
};

pub(crate) struct CreateRuleCommand {
    pub(crate) content: RuleContent,
}

/// Creates the rule in its first version.
pub(crate) async fn create_rule(
    tx: &mut Transaction,
    command: CreateRuleCommand,
) -> Result<Rule, SearchSettingsError> {
    if rules::count(tx).await? >= MAX_RULES {
        return Err(SearchSettingsError::TooManyRules);
    }
    let (id, version, now) = (RuleId::new(), Version::FIRST, clock::now());
    let rule = Rule { id, version, content: command.content, created_at: now, updated_at: now };
    rules::write(tx, &rule).await?;
    tx.emit(&search_rule_changed(&rule))?;
    Ok(rule)
}
