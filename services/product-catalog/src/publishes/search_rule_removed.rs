//! `search.rule_removed.v1`: a rule was removed.

use chrono::{DateTime, Utc};
use contracts::catalog::RuleRemovedV1;
use vocabulary::{RuleId, Version};

/// `version` is the one after the rule's last.
pub(crate) const fn search_rule_removed(
    rule_id: RuleId,
    version: Version,
    removed_at: DateTime<Utc>,
) -> RuleRemovedV1 {
    RuleRemovedV1 { rule_id, version, removed_at }
}
