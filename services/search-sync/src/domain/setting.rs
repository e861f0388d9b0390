//! What the shop edits about search, in all versions that a search may need.

use chrono::{DateTime, TimeDelta, Utc};
use vocabulary::Version;

use super::{rule::Rule, synonym::Synonym};

/// How long a replaced version is kept: a shopper who pages through results keeps the rules of the first page.
pub const KEPT_MINUTES: i64 = 60;

/// In how many revisions a replaced version is kept at most, so that frequent edits do not fill the memory.
pub const KEPT_REVISIONS: i64 = 100;

/// A setting: the synonyms or a rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    Synonyms(Vec<Synonym>),
    Rule(Rule),
    /// A rule that was removed.
    Removed,
}

/// A version of a setting, as product-catalog published it.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingVersion {
    pub key: String,
    pub version: Version,
    pub setting: Setting,
}

/// A version of a setting, with the revisions in which it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldSetting {
    pub version: Version,
    pub setting: Setting,
    /// The first revision.
    pub since: i64,
    /// The revision that replaced it; `None` while it holds.
    pub until: Option<i64>,
}

/// The settings of the last revision and of those shortly before it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SettingsHistory {
    /// Counts the changes.
    pub revision: i64,
    pub settings: Vec<HeldSetting>,
}

/// When the first page of a search was read: all pages apply the same settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub revision: i64,
    pub time: DateTime<Utc>,
}

impl HeldSetting {
    pub(crate) fn holds_in(&self, revision: i64) -> bool {
        self.since <= revision && self.until.is_none_or(|until| revision < until)
    }
}

impl SettingsHistory {
    /// The moment of a search: that of its first page, if its versions are still kept, otherwise now.
    pub(crate) fn moment(&self, first_page: Option<Moment>, now: DateTime<Utc>) -> Moment {
        let kept = TimeDelta::minutes(KEPT_MINUTES);
        let is_kept = |moment: &Moment| {
            let is_recent = moment.time <= now + kept && now - moment.time < kept;
            is_recent && self.revision.saturating_sub(moment.revision) < KEPT_REVISIONS
        };
        match first_page.filter(is_kept) {
            // Another process may have seen a later revision.
            Some(Moment { revision, time }) => {
                Moment { revision: revision.min(self.revision), time }
            }
            None => Moment { revision: self.revision, time: now },
        }
    }
}

/// The newest version of each setting, sorted by key.
pub(crate) fn newest_settings(
    settings: impl IntoIterator<Item = SettingVersion>,
) -> Vec<SettingVersion> {
    let mut sorted: Vec<SettingVersion> = settings.into_iter().collect();
    sorted.sort_by(|a, b| (&a.key, b.version).cmp(&(&b.key, a.version)));
    sorted.dedup_by(|later, first| later.key == first.key);
    sorted
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use vocabulary::Version;

    use super::{HeldSetting, Moment, Setting, SettingVersion, SettingsHistory, newest_settings};

    fn version(number: i64) -> Version {
        Version::try_from(number).unwrap()
    }

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_newest_version_of_each_setting_counts() {
        let setting = |key: &str, number| SettingVersion {
            key: key.to_owned(),
            version: version(number),
            setting: Setting::Removed,
        };
        let newest = newest_settings([setting("b", 2), setting("a", 1), setting("b", 3)]);
        assert_eq!(newest, [setting("a", 1), setting("b", 3)]);
    }

    #[test]
    fn later_pages_keep_the_moment_of_the_first() {
        let history = SettingsHistory { revision: 7, settings: Vec::new() };
        let now = time("2026-11-29T08:00:00Z");
        let moment = |revision, text| Some(Moment { revision, time: time(text) });
        for (first_page, expected) in [
            (None, (7, "2026-11-29T08:00:00Z")),
            (moment(5, "2026-11-29T07:30:00Z"), (5, "2026-11-29T07:30:00Z")),
            (moment(9, "2026-11-29T07:59:00Z"), (7, "2026-11-29T07:59:00Z")),
            (moment(5, "2026-11-29T06:30:00Z"), (7, "2026-11-29T08:00:00Z")),
            (moment(5, "2027-11-29T06:30:00Z"), (7, "2026-11-29T08:00:00Z")),
            (moment(-93, "2026-11-29T07:59:00Z"), (7, "2026-11-29T08:00:00Z")),
            (moment(i64::MIN, "2026-11-29T07:59:00Z"), (7, "2026-11-29T08:00:00Z")),
        ] {
            let found = history.moment(first_page, now);
            assert_eq!((found.revision, found.time), (expected.0, time(expected.1)));
        }
    }

    #[test]
    fn a_version_holds_until_it_is_replaced() {
        let held =
            |until| HeldSetting { version: version(1), setting: Setting::Removed, since: 3, until };
        let holding =
            |held: HeldSetting| (1..8).filter(|one| held.holds_in(*one)).collect::<Vec<_>>();
        assert_eq!(holding(held(Some(5))), [3, 4]);
        assert_eq!(holding(held(None)), [3, 4, 5, 6, 7]);
    }
}
