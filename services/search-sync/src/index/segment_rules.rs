//! The rules of a search for the documents of one segment.

use std::collections::HashMap;

use tantivy::{
    BitSet, DocSet as _, SegmentReader, TERMINATED, Term,
    schema::{Field, IndexRecordOption},
};
use uuid::Uuid;
use vocabulary::ProductId;

use super::{filter::Filter, query::SearchError};
use crate::domain::{Pin, Rule, RuleEffect, RuleProducts};

/// What the rules do with the documents of a segment.
#[derive(Default)]
pub(crate) struct SegmentRules {
    hidden: Option<BitSet>,
    hiding: Vec<Filter>,
    /// The products of the factors of single documents.
    factors: HashMap<u32, f32>,
    scaling: Vec<(Filter, f32)>,
    /// The pins by document, as indexes.
    pinned: HashMap<u32, usize>,
}

impl SegmentRules {
    /// Looks up the products of `rules` and `pins`; `id` is the field of the product id.
    pub(crate) fn open(
        segment: &SegmentReader,
        id: Field,
        rules: &[&Rule],
        pins: &[Pin],
    ) -> Result<Self, SearchError> {
        let mut found = Self::default();
        let ids = ProductDocuments { segment, id };
        for rule in rules {
            let factor = match rule.effect {
                RuleEffect::Pin { .. } => continue,
                RuleEffect::Hide => None,
                RuleEffect::Boost { factor } | RuleEffect::Bury { factor } => Some(narrow(factor)),
            };
            let filter = match &rule.products {
                RuleProducts::Ids(products) => {
                    for product in products {
                        if let Some(doc) = ids.find(*product)? {
                            found.add_document(segment, doc, factor);
                        }
                    }
                    continue;
                }
                RuleProducts::Brand(brand) => Filter::brand(segment, brand)?,
                RuleProducts::Category(path) => Filter::category(segment, path)?,
            };
            match factor {
                None => found.hiding.push(filter),
                Some(factor) => found.scaling.push((filter, factor)),
            }
        }
        for (index, pin) in pins.iter().enumerate() {
            if let Some(doc) = ids.find(pin.product)? {
                found.pinned.insert(doc, index);
            }
        }
        Ok(found)
    }

    fn add_document(&mut self, segment: &SegmentReader, doc: u32, factor: Option<f32>) {
        if let Some(factor) = factor {
            *self.factors.entry(doc).or_insert(1.0) *= factor;
        } else {
            let empty = || BitSet::with_max_value(segment.max_doc());
            self.hidden.get_or_insert_with(empty).insert(doc);
        }
    }

    pub(crate) fn hides(&self, doc: u32) -> bool {
        self.hidden.as_ref().is_some_and(|hidden| hidden.contains(doc))
            || self.hiding.iter().any(|filter| filter.passes(doc))
    }

    /// What the score of a document is multiplied by.
    pub(crate) fn factor(&self, doc: u32) -> f32 {
        let single = if self.factors.is_empty() { None } else { self.factors.get(&doc).copied() };
        let matching = self.scaling.iter().filter(|(filter, _)| filter.passes(doc));
        matching.map(|(_, factor)| factor).product::<f32>() * single.unwrap_or(1.0)
    }

    /// The index of the pin of a document.
    pub(crate) fn pin(&self, doc: u32) -> Option<usize> {
        if self.pinned.is_empty() { None } else { self.pinned.get(&doc).copied() }
    }

    /// The pinned documents with the indexes of their pins.
    pub(crate) fn pinned(&self) -> impl Iterator<Item = (u32, usize)> {
        self.pinned.iter().map(|(doc, pin)| (*doc, *pin))
    }
}

/// The rules that change the score of a product.
pub(crate) fn scaling_rules<'a>(
    segment: &SegmentReader,
    rules: &[&'a Rule],
    product: Uuid,
    doc: u32,
) -> Result<Vec<&'a Rule>, SearchError> {
    let mut found = Vec::new();
    for rule in rules {
        let scales = matches!(rule.effect, RuleEffect::Boost { .. } | RuleEffect::Bury { .. });
        let names = match &rule.products {
            RuleProducts::Ids(ids) => ids.contains(&ProductId::from(product)),
            RuleProducts::Brand(brand) => Filter::brand(segment, brand)?.passes(doc),
            RuleProducts::Category(path) => Filter::category(segment, path)?.passes(doc),
        };
        if scales && names {
            found.push(*rule);
        }
    }
    Ok(found)
}

/// Finds the documents of products in a segment.
struct ProductDocuments<'a> {
    segment: &'a SegmentReader,
    id: Field,
}

impl ProductDocuments<'_> {
    /// The document of a product that is not deleted.
    fn find(&self, product: ProductId) -> Result<Option<u32>, SearchError> {
        let term = Term::from_field_text(self.id, &product.as_uuid().simple().to_string());
        let index = self.segment.inverted_index(self.id)?;
        let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? else {
            return Ok(None);
        };
        let alive = self.segment.alive_bitset();
        while postings.doc() != TERMINATED {
            if alive.is_none_or(|alive| alive.is_alive(postings.doc())) {
                return Ok(Some(postings.doc()));
            }
            postings.advance();
        }
        Ok(None)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a factor is exact enough in f32")]
fn narrow(factor: f64) -> f32 {
    factor as f32
}
