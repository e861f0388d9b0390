//! The filters of a search, read document by document from the columns of a segment.
//!
//! They are no part of the matching: a document that only one filter keeps out still counts in the facet of that filter.

use tantivy::SegmentReader;
use tantivy::columnar::{Column, StrColumn, TermOrdHit};

use super::query::{Facet, Query, SearchError};
use super::schema::{PAIR, column, pair};
use crate::text::normalise;

/// What the filters make of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It passes all.
    Hit,
    /// Only the filter of this number keeps it out.
    AllBut(usize),
    /// Several keep it out.
    Out,
}

/// The filters of a search over one segment.
pub(super) struct Filters(Vec<Filter>);

enum Filter {
    /// One of these values of a column of texts has to be there.
    Values { column: Option<StrColumn>, accepted: Vec<u64> },
    /// The prices have to reach into the range.
    Price { lowest: Column<i64>, highest: Column<i64>, min: i64, max: i64 },
    /// It can be had, or not.
    InStock { column: Column<bool>, wanted: bool },
}

/// The facets that the filters of `query` belong to, in the order of the filters.
pub(super) fn filtered(query: &Query) -> Vec<Facet> {
    let mut found = Vec::new();
    if !query.brands.is_empty() {
        found.push(Facet::Brand);
    }
    if query.category.is_some() {
        found.push(Facet::Category);
    }
    if query.price_min.is_some() || query.price_max.is_some() {
        found.push(Facet::Price);
    }
    if query.in_stock.is_some() {
        found.push(Facet::InStock);
    }
    found.extend(query.attributes.iter().map(|(key, _)| Facet::Attribute(key.clone())));
    found
}

impl Filters {
    /// Looks the values of `query` up in a segment. The filters have the order of [`filtered`].
    pub(super) fn new(query: &Query, segment: &SegmentReader) -> Result<Self, SearchError> {
        let columns = segment.fast_fields();
        let mut filters = Vec::new();
        if !query.brands.is_empty() {
            let wanted: Vec<String> =
                query.brands.iter().map(|brand| normalise(brand.trim())).collect();
            filters.push(Filter::values(columns.str(column::BRAND)?, "", &wanted)?);
        }
        if let Some(category) = &query.category {
            let column = columns.str(column::CATEGORY)?;
            let path = category.split('/').map(str::trim).filter(|name| !name.is_empty());
            let path = path.collect::<Vec<_>>().join("/");
            let accepted = match &column {
                Some(column) => column.dictionary().term_ord(path)?.into_iter().collect(),
                None => Vec::new(),
            };
            filters.push(Filter::Values { column, accepted });
        }
        if query.price_min.is_some() || query.price_max.is_some() {
            filters.push(Filter::Price {
                lowest: columns.i64(column::PRICE_MIN)?,
                highest: columns.i64(column::PRICE_MAX)?,
                min: query.price_min.unwrap_or(i64::MIN),
                max: query.price_max.unwrap_or(i64::MAX),
            });
        }
        if let Some(wanted) = query.in_stock {
            filters.push(Filter::InStock { column: columns.bool(column::IN_STOCK)?, wanted });
        }
        for (key, values) in &query.attributes {
            let prefix = pair(key, "");
            let wanted: Vec<String> =
                values.iter().map(|value| normalise(&pair(key, value))).collect();
            filters.push(Filter::values(columns.str(column::ATTRIBUTE)?, &prefix, &wanted)?);
        }
        Ok(Self(filters))
    }

    /// What they make of a document.
    pub(super) fn verdict(&self, doc: u32) -> Verdict {
        let mut verdict = Verdict::Hit;
        for (number, filter) in self.0.iter().enumerate() {
            if filter.passes(doc) {
                continue;
            }
            verdict = match verdict {
                Verdict::Hit => Verdict::AllBut(number),
                Verdict::AllBut(_) | Verdict::Out => return Verdict::Out,
            };
        }
        verdict
    }
}

impl Filter {
    /// The values of a column that begin with `prefix` and are, normalised, among `wanted`.
    fn values(
        column: Option<StrColumn>,
        prefix: &str,
        wanted: &[String],
    ) -> Result<Self, SearchError> {
        let mut accepted = Vec::new();
        if let Some(column) = &column {
            let (from, to) = prefix_range(column, prefix)?;
            let mut name = String::new();
            for ord in from..to {
                name.clear();
                column.ord_to_str(ord, &mut name)?;
                if wanted.contains(&normalise(&name)) {
                    accepted.push(ord);
                }
            }
        }
        Ok(Self::Values { column, accepted })
    }

    fn passes(&self, doc: u32) -> bool {
        match self {
            Self::Values { column: Some(column), accepted } => {
                column.term_ords(doc).any(|ord| accepted.contains(&ord))
            }
            Self::Values { column: None, .. } => false,
            Self::Price { lowest, highest, min, max } => {
                let low = lowest.first(doc);
                let high = highest.first(doc).or(low);
                low.or(high).is_some_and(|low| low <= *max) && high.is_some_and(|high| high >= *min)
            }
            Self::InStock { column, wanted } => column.first(doc).unwrap_or(false) == *wanted,
        }
    }
}

/// The numbers of the values of a column that begin with `prefix`, the end excluded. The last character of the prefix
/// must not be the highest of all.
pub(super) fn prefix_range(column: &StrColumn, prefix: &str) -> Result<(u64, u64), SearchError> {
    let all = u64::try_from(column.num_terms()).unwrap_or(u64::MAX);
    if prefix.is_empty() {
        return Ok((0, all));
    }
    let mut beyond = prefix.as_bytes().to_vec();
    if let Some(last) = beyond.last_mut() {
        *last = last.saturating_add(1);
    }
    Ok((first_from(column, prefix.as_bytes(), all)?, first_from(column, &beyond, all)?))
}

fn first_from(column: &StrColumn, value: &[u8], all: u64) -> Result<u64, SearchError> {
    Ok(match column.dictionary().term_ord_or_next(value)? {
        TermOrdHit::Exact(ord) | TermOrdHit::Next(ord) => ord.min(all),
    })
}

/// The value of an attribute pair.
pub(super) fn value_of(pair: &str) -> &str {
    pair.split_once(PAIR).map_or(pair, |(_, value)| value)
}
