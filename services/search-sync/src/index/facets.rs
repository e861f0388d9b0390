//! Counts hits by facet values.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use tantivy::{
    SegmentReader,
    columnar::{Column, StrColumn},
};
use vocabulary::Currency;

use super::{
    filter::{FilterOutcome, attribute_column, filtered_facets, prefix_range},
    query::{Facet, FacetCount, NumberRange, Query, SearchError},
    schema::{
        attribute_prefix, column, fold_path, fold_value, prices_in, split_attribute, split_value,
    },
};
use crate::text::{Measure, read_measure};

/// The maximum number of values per facet; the most frequent are kept.
const VALUES_MAX: usize = 100;

/// The maximum number of facets that [`Facet::Attributes`] gives.
const ATTRIBUTES_MAX: usize = 8;

/// How many products two values of these facets have at least, on average. Below are model numbers and the like.
const PRODUCTS_PER_TWO_VALUES: u64 = 3;

/// The counts of a search.
pub(crate) struct FacetCounts {
    /// The counts by facet name.
    pub(crate) facets: BTreeMap<String, Vec<FacetCount>>,
    /// The ranges of the facets whose values are all numbers of one unit.
    pub(crate) number_ranges: BTreeMap<String, NumberRange>,
    /// The lowest and the highest price, with the facet for prices.
    pub(crate) price_range: Option<(i64, i64)>,
}

/// Counts by folded value, then by spelling. The values of attributes begin with the name of the attribute.
type ValueCounts = BTreeMap<String, BTreeMap<String, u64>>;

/// Counts all facets of a search over all segments.
pub(crate) struct FacetCounters(Vec<FacetCounter>);

struct FacetCounter {
    facet: Facet,
    /// The index of the filter on this facet.
    own_filter: Option<usize>,
    /// For attributes and options: their column.
    attributes: &'static str,
    /// For prices: their currency.
    currency: Currency,
    /// For categories: the chosen one, folded, with a trailing slash; its direct children are counted.
    parent: String,
    counts: ValueCounts,
    prices: PriceCounts,
}

impl FacetCounters {
    pub(crate) fn new(query: &Query) -> Self {
        let filters = filtered_facets(query);
        let mut facets = query.facets.clone();
        facets.sort();
        facets.dedup();
        Self(
            facets
                .into_iter()
                .map(|facet| FacetCounter {
                    own_filter: filters.iter().position(|filter| *filter == facet),
                    attributes: attribute_column(query),
                    currency: query.currency,
                    parent: match (&facet, &query.category) {
                        (Facet::Category, Some(category)) => format!("{}/", fold_path(category)),
                        _ => String::new(),
                    },
                    facet,
                    counts: BTreeMap::new(),
                    prices: PriceCounts::default(),
                })
                .collect(),
        )
    }

    /// New counters for one segment.
    pub(crate) fn open(&self, segment: &SegmentReader) -> Result<SegmentCounters, SearchError> {
        let each = self.0.iter().map(|counter| {
            Ok(SegmentCounter {
                own_filter: counter.own_filter,
                counts: SegmentCounts::open(counter, segment)?,
            })
        });
        Ok(SegmentCounters(each.collect::<Result<_, SearchError>>()?))
    }

    /// Adds the counts of a segment.
    pub(crate) fn add(&mut self, segment: SegmentCounters) -> Result<(), SearchError> {
        for (counter, counted) in self.0.iter_mut().zip(segment.0) {
            match counted.counts {
                SegmentCounts::Values { column: Some(column), first, counts } => {
                    counter.add_values(&column, first, &counts)?;
                }
                SegmentCounts::Values { column: None, .. } => {}
                SegmentCounts::InStock { counts, .. } => {
                    for (value, count) in [("true", counts[1]), ("false", counts[0])] {
                        counter.add_value(value, count);
                    }
                }
                SegmentCounts::Price { counts, .. } => counter.prices.add(&counts),
            }
        }
        Ok(())
    }

    /// The sums over all segments.
    pub(crate) fn finish(self) -> FacetCounts {
        let mut facets = BTreeMap::new();
        let mut number_ranges = BTreeMap::new();
        let mut price_range = None;
        for counter in self.0 {
            let name = counter.facet.to_string();
            match counter.facet {
                Facet::Price => {
                    price_range = counter.prices.range;
                    facets.insert(name, counter.prices.finish());
                }
                // The facets are sorted, so those of named attributes are known here.
                Facet::Attributes => {
                    for (name, counts) in frequent_attributes(counter.counts, &facets) {
                        insert_values(&mut facets, &mut number_ranges, name, counts);
                    }
                }
                Facet::Attribute(key) => {
                    let counts = without_name(&key, counter.counts);
                    insert_values(&mut facets, &mut number_ranges, name, counts);
                }
                Facet::Brand | Facet::Category | Facet::InStock => {
                    facets.insert(name, most_frequent(counter.counts, None));
                }
            }
        }
        FacetCounts { facets, number_ranges, price_range }
    }
}

impl FacetCounter {
    fn add_values(
        &mut self,
        column: &StrColumn,
        first: u64,
        counts: &[u64],
    ) -> Result<(), SearchError> {
        let mut name = String::new();
        for (ord, count) in (first..).zip(counts).filter(|(_, count)| **count > 0) {
            name.clear();
            column.ord_to_str(ord, &mut name)?;
            let (folded, spelling) = split_value(&name);
            let child = folded.strip_prefix(self.parent.as_str());
            if self.facet == Facet::Category && child.is_none_or(|child| child.contains('/')) {
                continue;
            }
            self.add_spelling(folded, spelling, *count);
        }
        Ok(())
    }

    fn add_spelling(&mut self, folded: &str, spelling: &str, count: u64) {
        let spellings = self.counts.entry(folded.to_owned()).or_default();
        *spellings.entry(spelling.to_owned()).or_default() += count;
    }

    fn add_value(&mut self, value: &str, count: u64) {
        if count > 0 {
            self.add_spelling(value, value, count);
        }
    }
}

/// The values of one attribute, without its name.
fn without_name(key: &str, counts: ValueCounts) -> ValueCounts {
    let prefix = attribute_prefix(key);
    let unnamed = counts.into_iter().filter_map(|(value, spellings)| {
        Some((value.strip_prefix(&prefix)?.to_owned(), spellings))
    });
    unnamed.collect()
}

/// The attributes that most products have, by facet name. `known` facets are left out.
fn frequent_attributes(
    counts: ValueCounts,
    known: &BTreeMap<String, Vec<FacetCount>>,
) -> Vec<(String, ValueCounts)> {
    let known: BTreeSet<String> = known
        .keys()
        .filter_map(|name| match name.parse() {
            Ok(Facet::Attribute(key)) => Some(fold_value(&key)),
            Ok(_) | Err(_) => None,
        })
        .collect();
    let mut attributes: BTreeMap<String, ValueCounts> = BTreeMap::new();
    for (value, spellings) in counts {
        if let Some((name, value)) = split_attribute(&value)
            && !known.contains(name)
        {
            attributes.entry(name.to_owned()).or_default().insert(value.to_owned(), spellings);
        }
    }
    let products = |values: &ValueCounts| values.values().flat_map(BTreeMap::values).sum::<u64>();
    let mut attributes: Vec<(String, ValueCounts)> = attributes
        .into_iter()
        .filter(|(_, values)| {
            let number = u64::try_from(values.len()).unwrap_or(u64::MAX);
            number > 1
                && products(values).saturating_mul(2)
                    >= number.saturating_mul(PRODUCTS_PER_TWO_VALUES)
        })
        .map(|(name, values)| (Facet::Attribute(name).to_string(), values))
        .collect();
    attributes.sort_by_key(|(_, values)| std::cmp::Reverse(products(values)));
    attributes.truncate(ATTRIBUTES_MAX);
    attributes
}

/// Adds the facet of an attribute, with its range if all values are numbers of one unit.
fn insert_values(
    facets: &mut BTreeMap<String, Vec<FacetCount>>,
    number_ranges: &mut BTreeMap<String, NumberRange>,
    name: String,
    counts: ValueCounts,
) {
    let numbers = numbers(&counts);
    let mut counts = most_frequent(counts, numbers.as_deref());
    if let Some(range) = numbers.as_deref().and_then(number_range) {
        counts.sort_by(|a, b| a.number.partial_cmp(&b.number).unwrap_or(Ordering::Equal));
        number_ranges.insert(name.clone(), range);
    }
    facets.insert(name, counts);
}

/// The most frequent values. `numbers` are those of all values, in their order.
fn most_frequent(counts: ValueCounts, numbers: Option<&[Measure]>) -> Vec<FacetCount> {
    let mut counts: Vec<FacetCount> = counts.into_values().filter_map(merge_spellings).collect();
    for (count, number) in counts.iter_mut().zip(numbers.into_iter().flatten()) {
        count.number = Some(number.number);
    }
    // The sort is stable and the map is ordered, so equally frequent values stay in alphabetical order.
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    counts.truncate(VALUES_MAX);
    counts
}

/// The values of an attribute as numbers, in their order, if all are numbers of one unit.
fn numbers(counts: &ValueCounts) -> Option<Vec<Measure>> {
    let numbers =
        counts.keys().map(|value| read_measure(value)).collect::<Option<Vec<Measure>>>()?;
    let unit = numbers.first()?.unit;
    numbers.iter().all(|number| number.unit == unit).then_some(numbers)
}

/// The range of numbers of one unit; `None` if there are none.
fn number_range(numbers: &[Measure]) -> Option<NumberRange> {
    let unit = numbers.first()?.unit;
    let numbers = || numbers.iter().map(|number| number.number);
    let (min, max) = (numbers().reduce(f64::min)?, numbers().reduce(f64::max)?);
    Some(NumberRange { min, max, unit })
}

/// One entry for all spellings of a value, shown in the most frequent one.
fn merge_spellings(spellings: BTreeMap<String, u64>) -> Option<FacetCount> {
    let count = spellings.values().sum();
    // Of equally frequent spellings, the last one in this reversed order is the first in the alphabet.
    let (value, _) = spellings.into_iter().rev().max_by_key(|(_, count)| *count)?;
    Some(FacetCount { value, count, number: None })
}

/// The counts of one segment.
pub(crate) struct SegmentCounters(Vec<SegmentCounter>);

struct SegmentCounter {
    own_filter: Option<usize>,
    counts: SegmentCounts,
}

enum SegmentCounts {
    /// The counts by ordinal, from the ordinal `first` on.
    Values {
        column: Option<StrColumn>,
        first: u64,
        counts: Vec<u64>,
    },
    InStock {
        column: Column<bool>,
        counts: [u64; 2],
    },
    Price {
        column: Option<Column<i64>>,
        counts: PriceCounts,
    },
}

impl SegmentCounts {
    fn open(counter: &FacetCounter, segment: &SegmentReader) -> Result<Self, SearchError> {
        let columns = segment.fast_fields();
        let (column, prefix) = match &counter.facet {
            Facet::Brand => (columns.str(column::BRAND)?, String::new()),
            Facet::Category => (columns.str(column::CATEGORY)?, counter.parent.clone()),
            Facet::Attribute(key) => (columns.str(counter.attributes)?, attribute_prefix(key)),
            Facet::Attributes => (columns.str(counter.attributes)?, String::new()),
            Facet::InStock => {
                let column = columns.bool(column::IN_STOCK)?;
                return Ok(Self::InStock { column, counts: [0; 2] });
            }
            Facet::Price => {
                let column = prices_in(segment, counter.currency)?;
                return Ok(Self::Price { column, counts: PriceCounts::default() });
            }
        };
        let ordinals = match &column {
            Some(column) => prefix_range(column, &prefix)?,
            None => 0..0,
        };
        let width = ordinals.end.saturating_sub(ordinals.start);
        let counts = vec![0; usize::try_from(width).unwrap_or_default()];
        Ok(Self::Values { column, first: ordinals.start, counts })
    }

    fn count(&mut self, doc: u32) {
        match self {
            Self::Values { column: Some(column), first, counts } => {
                for ord in column.term_ords(doc) {
                    let index = ord.checked_sub(*first).and_then(|at| usize::try_from(at).ok());
                    if let Some(count) = index.and_then(|index| counts.get_mut(index)) {
                        *count += 1;
                    }
                }
            }
            Self::Values { column: None, .. } => {}
            Self::InStock { column, counts } => {
                counts[usize::from(column.first(doc).unwrap_or(false))] += 1;
            }
            Self::Price { column, counts } => {
                if let Some(column) = column {
                    counts.count(column.values_for_doc(doc));
                }
            }
        }
    }
}

impl SegmentCounters {
    /// Counts a document in every facet unless another filter than the facet's own excludes it.
    pub(crate) fn count(&mut self, doc: u32, outcome: FilterOutcome) {
        for counter in &mut self.0 {
            let included = match outcome {
                FilterOutcome::Pass => true,
                FilterOutcome::FailsOnly(filter) => counter.own_filter == Some(filter),
                FilterOutcome::Fail => false,
            };
            if included {
                counter.counts.count(doc);
            }
        }
    }
}

/// Counts products by the ranges of their prices, which are those of the series 1, 2, 5, 10, 20, 50 …
#[derive(Default)]
struct PriceCounts {
    by_range: BTreeMap<i64, u64>,
    range: Option<(i64, i64)>,
}

impl PriceCounts {
    /// Counts a product once in each range in which it has a price. `prices` are ascending.
    fn count(&mut self, prices: impl Iterator<Item = i64>) {
        let mut counted = None;
        for price in prices {
            let start = range_start(price);
            if counted != Some(start) {
                *self.by_range.entry(start).or_default() += 1;
                counted = Some(start);
            }
            self.widen(price, price);
        }
    }

    fn widen(&mut self, low: i64, high: i64) {
        let (current_low, current_high) = self.range.unwrap_or((low, high));
        self.range = Some((low.min(current_low), high.max(current_high)));
    }

    fn add(&mut self, other: &Self) {
        for (start, count) in &other.by_range {
            *self.by_range.entry(*start).or_default() += count;
        }
        if let Some((low, high)) = other.range {
            self.widen(low, high);
        }
    }

    fn finish(self) -> Vec<FacetCount> {
        let facet_count =
            |(start, count)| FacetCount { value: range_name(start), count, number: None };
        self.by_range.into_iter().map(facet_count).collect()
    }
}

/// The start of the range of a price: 1, 2 or 5 times a power of ten, or 0.
fn range_start(price: i64) -> i64 {
    if price <= 0 {
        return 0;
    }
    let power = 10_i64.pow(price.ilog10());
    match price / power {
        1 => power,
        2..=4 => 2 * power,
        _ => 5 * power,
    }
}

fn range_name(start: i64) -> String {
    if start == 0 {
        return "0..1".to_owned();
    }
    let power = 10_i64.pow(start.ilog10());
    let end = match start / power {
        1 => power.checked_mul(2),
        2 => power.checked_mul(5),
        _ => power.checked_mul(10),
    };
    end.map_or_else(|| format!("{start}.."), |end| format!("{start}..{end}"))
}

#[cfg(test)]
mod tests {
    use super::{range_name, range_start};

    #[test]
    fn a_price_belongs_to_one_range() {
        for (price, name) in [
            (0, "0..1"),
            (1, "1..2"),
            (19_999, "10000..20000"),
            (20_000, "20000..50000"),
            (99_999, "50000..100000"),
        ] {
            assert_eq!(range_name(range_start(price)), name);
        }
        assert_eq!(range_name(range_start(i64::MAX)), "5000000000000000000..");
    }
}
