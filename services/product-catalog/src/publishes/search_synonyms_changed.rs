//! `search.synonyms_changed.v1`: the whole list of synonyms.

use contracts::catalog::{self, SynonymsChangedV1};

use crate::domain::{Synonym, SynonymList};

pub(crate) fn search_synonyms_changed(list: &SynonymList) -> SynonymsChangedV1 {
    let synonym = |synonym: &Synonym| match synonym.clone() {
        Synonym::TwoWay(words) => catalog::Synonym::TwoWay(words),
        Synonym::OneWay { from, to } => catalog::Synonym::OneWay { from, to },
    };
    SynonymsChangedV1 {
        version: list.version,
        synonyms: list.synonyms.iter().map(synonym).collect(),
        changed_at: list.updated_at,
    }
}
