//! How an import reads its file, as the client chooses.

use std::collections::BTreeMap;

use chrono::FixedOffset;

use super::{column_names::column_of_target, header_name::normalised, preset::Preset};

/// The maximum number of columns in a mapping.
const MAX_MAPPINGS: usize = 1_000;

/// The choices of the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImportSettings {
    /// None: the header decides.
    pub(crate) preset: Option<Preset>,
    /// From the normalised name of a column to its meaning.
    pub(crate) mapping: BTreeMap<String, String>,
    pub(crate) unknown_columns: UnknownColumns,
    /// The currency of prices that do not name one. None: `CNY`.
    pub(crate) currency: Option<String>,
    /// The zone of times that do not name one. None: +08:00.
    pub(crate) utc_offset: Option<FixedOffset>,
    /// The category of products without one. None: a product needs one, except in files of other programs.
    pub(crate) category: Option<String>,
    /// What happens to the rest of a product that exists. None: a product that would lose something is refused.
    pub(crate) mode: Option<ImportMode>,
}

/// What happens to columns without a meaning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum UnknownColumns {
    #[default]
    Refuse,
    Ignore,
}

/// What happens to the parts of an existing product that a file does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImportMode {
    /// They are emptied, and variants that the file does not list are removed.
    Replace,
    /// They stay.
    Merge,
}

/// Why a mapping is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidMapping {
    #[error("`{0}` is no column of a product file")]
    Target(String),
    #[error("the column `{0}` occurs twice")]
    Repeated(String),
    #[error("may name at most {MAX_MAPPINGS} columns")]
    TooMany,
}

impl ImportSettings {
    /// Sets the mapping: pairs of a column's name and its meaning, such as `Farbe` and `option.颜色`.
    pub(crate) fn with_mapping(
        mut self,
        pairs: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, InvalidMapping> {
        for (source, target) in pairs {
            if column_of_target(&target).is_none() {
                return Err(InvalidMapping::Target(target));
            }
            if self.mapping.insert(normalised(&source), target).is_some() {
                return Err(InvalidMapping::Repeated(source));
            }
        }
        if self.mapping.len() > MAX_MAPPINGS { Err(InvalidMapping::TooMany) } else { Ok(self) }
    }
}

impl UnknownColumns {
    /// The value in queries and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Ignore => "ignore",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Refuse, Self::Ignore].into_iter().find(|one| one.as_str() == text)
    }
}

impl ImportMode {
    /// The value in queries and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Merge => "merge",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Replace, Self::Merge].into_iter().find(|one| one.as_str() == text)
    }
}
