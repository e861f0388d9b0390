//! The filters of a search, evaluated per document on the columns of a segment.
//!
//! Filters are not part of the Tantivy query: a document that fails only one filter still counts in the facet
//! of that filter.

use std::ops::{Range, RangeInclusive};

use tantivy::{
    Searcher, SegmentReader,
    columnar::{Column, StrColumn, TermOrdHit},
};

use super::{
    query::{AttributeFilter, Facet, NumberRange, Query, SearchError},
    schema::{
        attribute_prefix, column, fold_path, fold_value, prices_in, split_value, value_prefix,
    },
};

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

pub(crate) enum Filter {
    /// A value with one of these ordinals must be in the column. The ranges are ascending and do not overlap.
    Values {
        column: Option<StrColumn>,
        accepted: Vec<Range<u64>>,
    },
    /// A price must be accepted. No column: no product of the segment has a price in the currency.
    Price {
        column: Option<Column<i64>>,
        accepted: RangeInclusive<i64>,
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
    found.extend(query.attributes.iter().map(|filter| Facet::Attribute(filter.name.clone())));
    found
}

/// The column of attributes and options for `query`. Where only products in stock are wanted, an option must be
/// one of an available variant.
pub(crate) fn attribute_column(query: &Query) -> &'static str {
    if query.in_stock == Some(true) { column::AVAILABLE } else { column::ATTRIBUTE }
}

impl Filters {
    /// Looks up the values of `query` in a segment. The filters are in the order of [`filtered_facets`].
    pub(crate) fn new(query: &Query, segment: &SegmentReader) -> Result<Self, SearchError> {
        let columns = segment.fast_fields();
        let mut filters = Vec::new();
        if !query.brands.is_empty() {
            let wanted = query.brands.iter().map(|brand| fold_value(brand));
            filters.push(Filter::values(columns.str(column::BRAND)?, wanted)?);
        }
        if let Some(category) = &query.category {
            let wanted = [fold_path(category)].into_iter();
            filters.push(Filter::values(columns.str(column::CATEGORY)?, wanted)?);
        }
        if query.price_min.is_some() || query.price_max.is_some() {
            let lowest = query.price_min.unwrap_or(i64::MIN);
            let highest = query.price_max.unwrap_or(i64::MAX);
            let column = prices_in(segment, query.currency)?;
            filters.push(Filter::Price { column, accepted: lowest..=highest });
        }
        if let Some(wanted) = query.in_stock {
            filters.push(Filter::InStock { column: columns.bool(column::IN_STOCK)?, wanted });
        }
        let attributes = attribute_column(query);
        for filter in &query.attributes {
            filters.push(Filter::attribute(columns.str(attributes)?, filter)?);
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
    /// Accepts the products of a brand.
    pub(crate) fn brand(segment: &SegmentReader, brand: &str) -> Result<Self, SearchError> {
        let column = segment.fast_fields().str(column::BRAND)?;
        Self::values(column, std::iter::once(fold_value(brand)))
    }

    /// Accepts the products of a category and those below it.
    pub(crate) fn category(segment: &SegmentReader, path: &str) -> Result<Self, SearchError> {
        let column = segment.fast_fields().str(column::CATEGORY)?;
        Self::values(column, std::iter::once(fold_path(path)))
    }

    /// Accepts every spelling of the folded values in `wanted`.
    fn values(
        column: Option<StrColumn>,
        wanted: impl Iterator<Item = String>,
    ) -> Result<Self, SearchError> {
        let accepted = match &column {
            Some(column) => spellings(column, wanted)?,
            None => Vec::new(),
        };
        Ok(Self::Values { column, accepted })
    }

    /// Accepts the values of an attribute or option.
    fn attribute(column: Option<StrColumn>, filter: &AttributeFilter) -> Result<Self, SearchError> {
        let Some(values) = &column else {
            return Ok(Self::Values { column, accepted: Vec::new() });
        };
        let name = attribute_prefix(&filter.name);
        let mut accepted = if filter.values.is_empty() {
            vec![prefix_range(values, &name)?]
        } else {
            let wanted = filter.values.iter().map(|value| format!("{name}{}", fold_value(value)));
            spellings(values, wanted)?
        };
        if let Some(range) = &filter.range {
            let numbers = numbers(values, &name, range)?;
            accepted = numbers.into_iter().filter(|ord| contains(&accepted, *ord)).fold(
                Vec::new(),
                |mut ranges: Vec<Range<u64>>, ord| {
                    match ranges.last_mut() {
                        Some(last) if last.end == ord => last.end += 1,
                        Some(_) | None => ranges.push(ord..ord + 1),
                    }
                    ranges
                },
            );
        }
        Ok(Self::Values { column, accepted })
    }

    pub(crate) fn passes(&self, doc: u32) -> bool {
        match self {
            Self::Values { column: Some(column), accepted } => {
                column.term_ords(doc).any(|ord| contains(accepted, ord))
            }
            Self::Price { column: Some(column), accepted } => {
                column.values_for_doc(doc).any(|price| accepted.contains(&price))
            }
            Self::Values { column: None, .. } | Self::Price { column: None, .. } => false,
            Self::InStock { column, wanted } => column.first(doc).unwrap_or(false) == *wanted,
        }
    }
}

/// Whether one of the ascending ranges contains an ordinal.
fn contains(ranges: &[Range<u64>], ord: u64) -> bool {
    let at = ranges.partition_point(|range| range.end <= ord);
    ranges.get(at).is_some_and(|range| range.contains(&ord))
}

/// The ordinals of every spelling of the folded values, in ascending ranges.
fn spellings(
    column: &StrColumn,
    folded: impl Iterator<Item = String>,
) -> Result<Vec<Range<u64>>, SearchError> {
    let ranges = folded.map(|folded| prefix_range(column, &value_prefix(&folded)));
    let mut ranges = ranges.collect::<Result<Vec<_>, SearchError>>()?;
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup();
    Ok(ranges)
}

/// The ordinals of the values with a prefix whose number is in a range, in ascending order.
fn numbers(column: &StrColumn, prefix: &str, range: &NumberRange) -> Result<Vec<u64>, SearchError> {
    let mut found = Vec::new();
    let mut values = column.dictionary().prefix_range(prefix).into_stream()?;
    while values.advance() {
        let value = std::str::from_utf8(values.key()).unwrap_or_default();
        let (folded, _) = split_value(value);
        if folded.strip_prefix(prefix).is_some_and(|folded| range.contains(folded)) {
            found.push(values.term_ord());
        }
    }
    Ok(found)
}

/// The ordinals of the values that start with `prefix`, the end excluded. The last byte of `prefix` must not
/// be 255.
pub(crate) fn prefix_range(column: &StrColumn, prefix: &str) -> Result<Range<u64>, SearchError> {
    let all = u64::try_from(column.num_terms()).unwrap_or(u64::MAX);
    if prefix.is_empty() {
        return Ok(0..all);
    }
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last = last.saturating_add(1);
    }
    Ok(lower_bound(column, prefix.as_bytes(), all)?..lower_bound(column, &end, all)?)
}

fn lower_bound(column: &StrColumn, value: &[u8], all: u64) -> Result<u64, SearchError> {
    Ok(match column.dictionary().term_ord_or_next(value)? {
        TermOrdHit::Exact(ord) | TermOrdHit::Next(ord) => ord.min(all),
    })
}

/// The brands to filter by. A text with commas is one brand if any product has it, otherwise a list.
pub(crate) fn resolve_brands(
    searcher: &Searcher,
    brands: &[String],
) -> Result<Vec<String>, SearchError> {
    let mut found = Vec::new();
    for brand in brands {
        if !brand.contains(',') || is_brand(searcher, brand)? {
            found.push(brand.clone());
        } else {
            let names = brand.split(',').map(str::trim).filter(|name| !name.is_empty());
            found.extend(names.map(str::to_owned));
        }
    }
    Ok(found)
}

/// Whether any product has this brand.
pub(crate) fn is_brand(searcher: &Searcher, name: &str) -> Result<bool, SearchError> {
    let prefix = value_prefix(&fold_value(name));
    for segment in searcher.segment_readers() {
        if let Some(column) = segment.fast_fields().str(column::BRAND)?
            && !prefix_range(&column, &prefix)?.is_empty()
        {
            return Ok(true);
        }
    }
    Ok(false)
}
