//! `search.rule_changed.v1`: the full state of a created or changed rule.

use contracts::catalog::{self, RuleChangedV1};

use crate::domain::{Rule, RuleEffect, RuleProducts, RuleScope};

pub(crate) fn search_rule_changed(rule: &Rule) -> RuleChangedV1 {
    let content = rule.content.clone();
    RuleChangedV1 {
        rule_id: rule.id,
        version: rule.version,
        action: match content.effect {
            RuleEffect::Pin { position } => catalog::RuleAction::Pin { position },
            RuleEffect::Boost { factor } => catalog::RuleAction::Boost { factor },
            RuleEffect::Bury { factor } => catalog::RuleAction::Bury { factor },
            RuleEffect::Hide => catalog::RuleAction::Hide,
        },
        scope: match content.scope {
            RuleScope::Query(query) => catalog::RuleScope::Query(query),
            RuleScope::Category(path) => catalog::RuleScope::Category(path),
            RuleScope::Everywhere => catalog::RuleScope::Everywhere,
        },
        products: match content.products {
            RuleProducts::Ids(ids) => catalog::RuleProducts::Ids(ids),
            RuleProducts::Brand(brand) => catalog::RuleProducts::Brand(brand),
            RuleProducts::Category(path) => catalog::RuleProducts::Category(path),
        },
        starts_at: content.starts_at,
        ends_at: content.ends_at,
        changed_at: rule.updated_at,
    }
}
