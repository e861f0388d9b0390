//! Writes synonyms and rules of the catalogue.

use contracts::catalog::{self, RuleChangedV1, RuleRemovedV1, SynonymsChangedV1};
use messaging::Transaction;

use super::SettingsWaker;
use crate::{
    domain::{
        InvalidRule, InvalidSynonyms, Rule, RuleEffect, RuleProducts, RuleScope, SYNONYMS, Setting,
        SettingVersion, Synonym, check_synonyms, newest_settings,
    },
    storage::settings,
};

/// Writes the newest version of each setting, and wakes the loader after the commit; returns how many were
/// newer than the stored ones.
pub(crate) async fn write_settings(
    tx: &mut Transaction,
    received: Vec<SettingVersion>,
    loader: &SettingsWaker,
) -> Result<u64, sqlx::Error> {
    let written = settings::write(tx, &newest_settings(received)).await?;
    let loader = loader.clone();
    tx.after_commit(move || loader.wake());
    Ok(written)
}

/// The setting of an event; an event that breaks the rules of a list is refused.
pub(crate) fn synonyms(event: &SynonymsChangedV1) -> Result<SettingVersion, InvalidSynonyms> {
    let synonym = |synonym: &catalog::Synonym| match synonym.clone() {
        catalog::Synonym::TwoWay(words) => Synonym::TwoWay(words),
        catalog::Synonym::OneWay { from, to } => Synonym::OneWay { from, to },
    };
    let synonyms: Vec<Synonym> = event.synonyms.iter().map(synonym).collect();
    check_synonyms(&synonyms)?;
    let setting = Setting::Synonyms(synonyms);
    Ok(SettingVersion { key: SYNONYMS.to_owned(), version: event.version, setting })
}

/// The setting of an event; an event with an impossible rule is refused.
pub(crate) fn changed_rule(event: &RuleChangedV1) -> Result<SettingVersion, InvalidRule> {
    let rule = Rule {
        id: event.rule_id,
        effect: match event.action {
            catalog::RuleAction::Pin { position } => RuleEffect::Pin { position },
            catalog::RuleAction::Boost { factor } => RuleEffect::Boost { factor },
            catalog::RuleAction::Bury { factor } => RuleEffect::Bury { factor },
            catalog::RuleAction::Hide => RuleEffect::Hide,
        },
        scope: match event.scope.clone() {
            catalog::RuleScope::Query(query) => RuleScope::Query(query),
            catalog::RuleScope::Category(path) => RuleScope::Category(path),
            catalog::RuleScope::Everywhere => RuleScope::Everywhere,
        },
        products: match event.products.clone() {
            catalog::RuleProducts::Ids(ids) => RuleProducts::Ids(ids),
            catalog::RuleProducts::Brand(brand) => RuleProducts::Brand(brand),
            catalog::RuleProducts::Category(path) => RuleProducts::Category(path),
        },
        starts_at: event.starts_at,
        ends_at: event.ends_at,
    };
    rule.check()?;
    let key = event.rule_id.to_string();
    Ok(SettingVersion { key, version: event.version, setting: Setting::Rule(rule) })
}

/// The setting of an event.
pub(crate) fn removed_rule(event: &RuleRemovedV1) -> SettingVersion {
    let key = event.rule_id.to_string();
    SettingVersion { key, version: event.version, setting: Setting::Removed }
}
