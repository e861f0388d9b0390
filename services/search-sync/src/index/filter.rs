//! The filters of a search, evaluated per document on the columns of a segment.
//!
//! Filters are not part of the Tantivy query: a document that fails only one filter still counts in the facet
//! of that filter.

use tantivy::{
    SegmentReader,
    columnar::{Column, StrColumn, TermOrdHit},
};

use super::{
    query::{Facet, Query, SearchError},
    schema::{PAIR_SEPARATOR, attribute_pair, column},
};
use crate::text::normalise;

/// The result of all filters for one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterOutcome {
    Pass,
    /// Only the filter with this index fails.
    FailsOnly(usize),
    Fail,
}

/// The filters of a search for one segment.
pub(crate) struct Filters(Vec<Filter>);

enum Filter {
    /// One of these values must be in the column.
    Values {
        column: Option<StrColumn>,
        accepted: Vec<u64>,
    },
    /// The price range of the product must overlap with the filter's.
    Price {
        lowest: Column<i64>,
        highest: Column<i64>,
        min: i64,
        max: i64,
    },
    InStock {
        column: Column<bool>,
        wanted: bool,
    },
}

/// The facets of the filters of `query`, in the order of [`Filters`].
pub(crate) fn filtered_facets(query: &Query) -> Vec<Facet> {
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
    /// Looks up the values of `query` in a segment. The filters are in the order of [`filtered_facets`].
    pub(crate) fn new(query: &Query, segment: &SegmentReader) -> Result<Self, SearchError> {
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
            let prefix = attribute_pair(key, "");
            let wanted: Vec<String> =
                values.iter().map(|value| normalise(&attribute_pair(key, value))).collect();
            filters.push(Filter::values(columns.str(column::ATTRIBUTE)?, &prefix, &wanted)?);
        }
        Ok(Self(filters))
    }

    /// Evaluates all filters for a document.
    pub(crate) fn check(&self, doc: u32) -> FilterOutcome {
        let mut outcome = FilterOutcome::Pass;
        for (index, filter) in self.0.iter().enumerate() {
            if filter.passes(doc) {
                continue;
            }
            outcome = match outcome {
                FilterOutcome::Pass => FilterOutcome::FailsOnly(index),
                FilterOutcome::FailsOnly(_) | FilterOutcome::Fail => return FilterOutcome::Fail,
            };
        }
        outcome
    }
}

impl Filter {
    /// Accepts the values of a column that start with `prefix` and whose normalised form is in `wanted`.
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

/// The ordinals of the values that start with `prefix`, the end excluded. The last byte of `prefix` must not
/// be 255.
pub(crate) fn prefix_range(column: &StrColumn, prefix: &str) -> Result<(u64, u64), SearchError> {
    let all = u64::try_from(column.num_terms()).unwrap_or(u64::MAX);
    if prefix.is_empty() {
        return Ok((0, all));
    }
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last = last.saturating_add(1);
    }
    Ok((lower_bound(column, prefix.as_bytes(), all)?, lower_bound(column, &end, all)?))
}

fn lower_bound(column: &StrColumn, value: &[u8], all: u64) -> Result<u64, SearchError> {
    Ok(match column.dictionary().term_ord_or_next(value)? {
        TermOrdHit::Exact(ord) | TermOrdHit::Next(ord) => ord.min(all),
    })
}

/// The value of an attribute pair.
pub(crate) fn pair_value(pair: &str) -> &str {
    pair.split_once(PAIR_SEPARATOR).map_or(pair, |(_, value)| value)
}
