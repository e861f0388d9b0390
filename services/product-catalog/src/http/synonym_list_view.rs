//! The list of synonyms in requests and responses.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocabulary::Version;

use crate::domain::{Synonym, SynonymDraft, SynonymList};

/// The list of synonyms.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SynonymList)]
pub(super) struct SynonymListView {
    /// Counts the writes of the list; also the `ETag`.
    version: Version,
    items: Vec<SynonymEntry>,
    /// When this version was written.
    updated_at: DateTime<Utc>,
}

/// The whole list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SynonymListDraft {
    /// At most 1,000.
    pub(super) items: Vec<SynonymEntry>,
}

/// Words with the same meaning: either `words`, or `from` and `to`. A word has at most 60 characters, and may
/// be a phrase.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Synonym, example = json!({"words": ["书包", "双肩包"]}))]
pub(super) struct SynonymEntry {
    /// Both ways: a query with one of the words also finds the others. At least two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    words: Option<Vec<String>>,
    /// One way: a query with one of these words also finds those of `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Vec<String>>,
}

impl From<SynonymList> for SynonymListView {
    fn from(list: SynonymList) -> Self {
        let SynonymList { version, synonyms, updated_at } = list;
        Self { version, items: synonyms.into_iter().map(SynonymEntry::from).collect(), updated_at }
    }
}

impl From<Synonym> for SynonymEntry {
    fn from(synonym: Synonym) -> Self {
        match synonym {
            Synonym::TwoWay(words) => Self { words: Some(words), ..Self::default() },
            Synonym::OneWay { from, to } => Self { words: None, from: Some(from), to: Some(to) },
        }
    }
}

impl From<SynonymEntry> for SynonymDraft {
    fn from(entry: SynonymEntry) -> Self {
        let SynonymEntry { words, from, to } = entry;
        Self { words, from, to }
    }
}
