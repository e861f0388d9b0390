//! Synonyms and rules, ready to be applied to searches.

use chrono::{DateTime, Utc};
use vocabulary::Version;

use super::{query::Query, query_parser::SynonymTable, schema::fold_path};
use crate::{
    domain::{HeldSetting, Moment, Rule, RuleScope, Setting, SettingsHistory, Synonym},
    text::fold,
};

/// Synonyms and rules, in all versions that a search may need. The default has none.
#[derive(Debug, Clone, Default)]
pub struct SearchSettings {
    history: SettingsHistory,
    /// The folded form of each setting of the history.
    folded: Vec<FoldedSetting>,
    no_synonyms: SynonymTable,
}

/// A setting in the form in which searches compare it.
#[derive(Debug, Clone)]
enum FoldedSetting {
    Synonyms(SynonymTable),
    /// The rule is for this text.
    Query(String),
    /// The rule is for this category and those below it.
    Category(String),
    /// The rule is for all searches.
    Everywhere,
    Removed,
}

impl FoldedSetting {
    fn new(setting: &Setting) -> Self {
        match setting {
            Setting::Synonyms(synonyms) => Self::Synonyms(SynonymTable::new(synonyms)),
            Setting::Rule(Rule { scope: RuleScope::Query(query), .. }) => {
                Self::Query(query_key(query))
            }
            Setting::Rule(Rule { scope: RuleScope::Category(path), .. }) => {
                Self::Category(fold_path(path))
            }
            Setting::Rule(Rule { scope: RuleScope::Everywhere, .. }) => Self::Everywhere,
            Setting::Removed => Self::Removed,
        }
    }
}

impl SearchSettings {
    pub fn new(history: SettingsHistory) -> Self {
        let folded = history.settings.iter().map(|held| FoldedSetting::new(&held.setting));
        Self { folded: folded.collect(), history, no_synonyms: SynonymTable::default() }
    }

    /// Counts the changes of the settings.
    pub(crate) fn revision(&self) -> i64 {
        self.history.revision
    }

    /// The moment of a search, given that of its first page.
    pub(crate) fn moment(&self, first_page: Option<Moment>, now: DateTime<Utc>) -> Moment {
        self.history.moment(first_page, now)
    }

    /// The synonyms at a moment.
    pub(crate) fn synonyms(&self, moment: Moment) -> &SynonymTable {
        let mut tables = self.held_in(moment.revision).filter_map(|(_, folded)| match folded {
            FoldedSetting::Synonyms(table) => Some(table),
            FoldedSetting::Query(_)
            | FoldedSetting::Category(_)
            | FoldedSetting::Everywhere
            | FoldedSetting::Removed => None,
        });
        tables.next().unwrap_or(&self.no_synonyms)
    }

    /// The list of synonyms in use with its version; `None` before the first one.
    pub(crate) fn synonym_list(&self) -> Option<(Version, &[Synonym])> {
        self.held_in(self.history.revision).find_map(|(held, _)| match &held.setting {
            Setting::Synonyms(synonyms) => Some((held.version, synonyms.as_slice())),
            Setting::Rule(_) | Setting::Removed => None,
        })
    }

    /// The rules that apply to a search at a moment.
    pub(crate) fn rules(&self, moment: Moment, query: &Query) -> Vec<&Rule> {
        let text = query_key(&query.q);
        let category = query.category.as_deref().map(fold_path);
        let is_within = |path: &str| {
            category
                .as_deref()
                .and_then(|category| category.strip_prefix(path))
                .is_some_and(|below| below.is_empty() || below.starts_with('/'))
        };
        let applies = |folded: &FoldedSetting| match folded {
            FoldedSetting::Query(key) => !key.is_empty() && *key == text,
            FoldedSetting::Category(path) => is_within(path),
            FoldedSetting::Everywhere => true,
            FoldedSetting::Synonyms(_) | FoldedSetting::Removed => false,
        };
        self.held_in(moment.revision)
            .filter(|(_, folded)| applies(folded))
            .filter_map(|(held, _)| match &held.setting {
                Setting::Rule(rule) => Some(rule),
                Setting::Synonyms(_) | Setting::Removed => None,
            })
            .filter(|rule| rule.is_active(moment.time))
            .collect()
    }

    fn held_in(&self, revision: i64) -> impl Iterator<Item = (&HeldSetting, &FoldedSetting)> {
        let all = self.history.settings.iter().zip(&self.folded);
        all.filter(move |(held, _)| held.holds_in(revision))
    }
}

/// The form in which the text of a rule and of a search are compared: letters and digits.
fn query_key(q: &str) -> String {
    fold(q).chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use vocabulary::Version;

    use super::{Query, SearchSettings};
    use crate::domain::{
        HeldSetting, Moment, Rule, RuleEffect, RuleProducts, RuleScope, Setting, SettingsHistory,
    };

    fn rule(number: u128, scope: RuleScope) -> Rule {
        Rule {
            id: Uuid::from_u128(number).into(),
            effect: RuleEffect::Hide,
            scope,
            products: RuleProducts::Brand("a".to_owned()),
            starts_at: None,
            ends_at: None,
        }
    }

    fn held(rule: Rule, since: i64, until: Option<i64>) -> HeldSetting {
        HeldSetting { version: Version::FIRST, setting: Setting::Rule(rule), since, until }
    }

    fn ids(settings: &SearchSettings, revision: i64, query: &Query) -> Vec<u128> {
        let moment = Moment { revision, time: "2026-11-29T08:00:00Z".parse().unwrap() };
        settings.rules(moment, query).iter().map(|rule| rule.id.as_uuid().as_u128()).collect()
    }

    #[test]
    fn a_rule_applies_to_its_scope() {
        let settings = SearchSettings::new(SettingsHistory {
            revision: 1,
            settings: vec![
                held(rule(1, RuleScope::Query("iPhone 15 手机".to_owned())), 1, None),
                held(rule(2, RuleScope::Category("数码/手机".to_owned())), 1, None),
                held(rule(3, RuleScope::Everywhere), 1, None),
            ],
        });
        let query = |q: &str, category: Option<&str>| Query {
            q: q.to_owned(),
            category: category.map(str::to_owned),
            ..Query::default()
        };
        for (q, category, expected) in [
            ("IPHONE-15手機", None, vec![1, 3]),
            ("iphone 15", None, vec![3]),
            ("", Some("数码/手机/智能手机"), vec![2, 3]),
            ("", Some("数码/手机"), vec![2, 3]),
            ("", Some("数码/手机壳"), vec![3]),
            ("", Some("数码"), vec![3]),
            ("!", None, vec![3]),
        ] {
            assert_eq!(ids(&settings, 1, &query(q, category)), expected, "{q} {category:?}");
        }
    }

    #[test]
    fn a_revision_has_its_own_rules() {
        let settings = SearchSettings::new(SettingsHistory {
            revision: 2,
            settings: vec![
                held(rule(1, RuleScope::Everywhere), 1, Some(2)),
                held(rule(2, RuleScope::Everywhere), 2, None),
            ],
        });
        assert_eq!(ids(&settings, 1, &Query::default()), [1]);
        assert_eq!(ids(&settings, 2, &Query::default()), [2]);
    }
}
