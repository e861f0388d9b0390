//! The query parameters of a search.

use std::{collections::BTreeMap, time::Duration};

use problem::{Fields, Problem};
use serde::Deserialize;
use utoipa::IntoParams;
use vocabulary::{Currency, ProductId};

use super::query_params::{ParamValues, VALUES_MAX, check_count, check_length, read_params};
use crate::{
    app::search_products::{ReadAfterWrite, ReadCondition, SearchRequest},
    index::{AttributeFilter, Facet, LIMIT_MAX, NumberRange, Query, Sort},
    text::{PriceOrder, PriceWords, price_words},
};

/// The prefix of the parameters that filter by an attribute.
const ATTRIBUTE_PREFIX: &str = "attr.";
/// The prefix of the lowest accepted number of an attribute.
const NUMBER_MIN_PREFIX: &str = "attr_min.";
/// The prefix of the highest accepted number of an attribute.
const NUMBER_MAX_PREFIX: &str = "attr_max.";
/// The default page size.
const LIMIT_DEFAULT: usize = 20;
/// The highest price, in minor units.
const PRICE_MAX: i64 = 1_000_000_000_000;
/// The default of `wait_ms`.
const WAIT_DEFAULT: Duration = Duration::from_secs(1);
/// The maximum of `wait_ms`.
const WAIT_MAX_MS: i64 = 10_000;

/// The parameters of a search, except those of attributes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchParams {
    /// The text query; its first 256 characters count.
    #[param(value_type = Option<String>)]
    q: ParamValues,
    /// A category; products of its subcategories match, too. Example: 数码/键盘.
    #[param(value_type = Option<String>)]
    category: ParamValues,
    /// Accepted brands; repeat it for several. A value with commas is one brand if any product has it, otherwise
    /// a list. Filters ignore case, width, diacritics and the difference between traditional and simplified
    /// characters.
    #[param(value_type = Option<Vec<String>>)]
    brand: ParamValues,
    /// The currency of all prices, a code of ISO 4217. Default: the shop's.
    #[param(value_type = Option<String>)]
    currency: ParamValues,
    /// The lowest price, in minor units of the currency.
    #[param(value_type = Option<i64>)]
    price_min: ParamValues,
    /// The highest price, in minor units of the currency.
    #[param(value_type = Option<i64>)]
    price_max: ParamValues,
    /// Whether words for the price in `q` (200元以下, `under 3000`, 便宜的) become a filter or an order, if none is
    /// given. Words that name another currency do not. Default: true.
    #[param(value_type = Option<bool>)]
    price_words: ParamValues,
    /// Only products that are, or are not, in stock.
    #[param(value_type = Option<bool>)]
    in_stock: ParamValues,
    /// The order of the hits: `relevance`, `price_asc`, `price_desc`, `newest` or `popularity`.
    #[param(value_type = Option<String>)]
    sort: ParamValues,
    /// The facets to count: `brand`, `category`, `price`, `in_stock`, `attr.<name>` of an attribute or option, and
    /// `attributes` for the eight attributes and options that most hits have.
    #[param(value_type = Option<Vec<String>>)]
    facets: ParamValues,
    /// Hits per page: 0 to 100, default 20.
    #[param(minimum = 0, maximum = 100, value_type = Option<u16>)]
    limit: ParamValues,
    /// `next_cursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: ParamValues,
    /// Whether each hit says why it stands where it stands. Default: false.
    #[param(value_type = Option<bool>)]
    explain: ParamValues,
    /// The product of `min_version`.
    #[param(value_type = Option<uuid::Uuid>)]
    product_id: ParamValues,
    /// Waits until the index contains this version of the product, or of any hit.
    #[param(value_type = Option<i64>)]
    min_version: ParamValues,
    /// Waits until the index contains the change with this number.
    #[param(value_type = Option<i64>)]
    min_change: ParamValues,
    /// The longest wait in milliseconds: up to 10000, default 1000.
    #[param(minimum = 0, maximum = 10000, value_type = Option<u16>)]
    wait_ms: ParamValues,
}

/// The parameters of one attribute.
#[derive(Debug, Default)]
struct AttributeParams {
    values: ParamValues,
    min: ParamValues,
    max: ParamValues,
}

/// Reads a search from the pairs of a query string. 400 for unknown parameters, 422 for invalid values.
pub(crate) fn read_search(
    pairs: Vec<(String, String)>,
    shop_currency: Currency,
) -> Result<SearchRequest, Problem> {
    let mut attributes: BTreeMap<String, AttributeParams> = BTreeMap::new();
    let mut others = Vec::new();
    for (name, value) in pairs {
        let key =
            |prefix| name.strip_prefix(prefix).filter(|key| !key.is_empty()).map(str::to_owned);
        if let Some(key) = key(ATTRIBUTE_PREFIX) {
            attributes.entry(key).or_default().values.push(value);
        } else if let Some(key) = key(NUMBER_MIN_PREFIX) {
            attributes.entry(key).or_default().min.push(value);
        } else if let Some(key) = key(NUMBER_MAX_PREFIX) {
            attributes.entry(key).or_default().max.push(value);
        } else {
            others.push((name, value));
        }
    }
    read_params::<SearchParams>(others)?.into_request(attributes, shop_currency)
}

impl SearchParams {
    fn into_request(
        self,
        attributes: BTreeMap<String, AttributeParams>,
        shop_currency: Currency,
    ) -> Result<SearchRequest, Problem> {
        let mut fields = Fields::new();
        let currency = self.currency.one(&mut fields, "currency");
        let currency = currency.and_then(|code| fields.check("currency", Currency::known(&code)));
        let currency = currency.unwrap_or(shop_currency);
        let has_sort = self.sort.is_given();
        let mut query = Query {
            q: self.q.cut(&mut fields, "q").unwrap_or_default(),
            category: self.category.text(&mut fields, "category").filter(|path| !path.is_empty()),
            brands: self.brand.names(&mut fields, "brand"),
            currency,
            price_min: self.price_min.number(&mut fields, "price_min", PRICE_MAX),
            price_max: self.price_max.number(&mut fields, "price_max", PRICE_MAX),
            in_stock: self.in_stock.parse(&mut fields, "in_stock"),
            attributes: check_attributes(&mut fields, attributes),
            sort: self.sort.parse::<Sort>(&mut fields, "sort").unwrap_or_default(),
            facets: parse_facets(&mut fields, self.facets),
            limit: self.limit.limit(&mut fields, LIMIT_DEFAULT, LIMIT_MAX),
            cursor: self.cursor.one(&mut fields, "cursor").filter(|cursor| !cursor.is_empty()),
            explain: self.explain.parse(&mut fields, "explain").unwrap_or_default(),
        };
        if let (Some(min), Some(max)) = (query.price_min, query.price_max)
            && min > max
        {
            fields.refuse("price_max", "invalid", "must not be below price_min");
        }
        let reads_price = self.price_words.parse(&mut fields, "price_words").unwrap_or(true);
        let product = self.product_id.parse::<ProductId>(&mut fields, "product_id");
        let version = self.min_version.number(&mut fields, "min_version", i64::MAX);
        let wait = self.wait_ms.number(&mut fields, "wait_ms", WAIT_MAX_MS);
        let wait = wait.map_or(WAIT_DEFAULT, |wait| Duration::from_millis(wait.unsigned_abs()));
        let change = self.min_change.number(&mut fields, "min_change", i64::MAX);
        if product.is_some() && version.is_none() {
            fields.refuse("min_version", "required", "is required with product_id");
        }
        if version.is_some() && change.is_some() {
            fields.refuse("min_change", "invalid", "must not be combined with min_version");
        }
        fields.finish()?;
        let condition = match (product, version, change) {
            (Some(product), Some(version), _) => Some(ReadCondition::Product(product, version)),
            (None, Some(version), _) => Some(ReadCondition::AnyHit(version)),
            (_, None, change) => change.map(ReadCondition::Change),
        };
        let read_after_write = condition.map(|condition| ReadAfterWrite { condition, wait });
        let is_free = query.price_min.is_none() && query.price_max.is_none();
        let price_words =
            if reads_price && is_free { price_words(&query.q, currency) } else { None };
        if let Some(words) = &price_words {
            apply_price_words(&mut query, words, !has_sort);
        }
        Ok(SearchRequest { query, price_words, read_after_write })
    }
}

/// Searches the rest of the query under the price that its words name.
fn apply_price_words(query: &mut Query, words: &PriceWords, sorts: bool) {
    query.q.clone_from(&words.rest);
    query.price_min = words.price_min;
    query.price_max = words.price_max;
    if sorts {
        query.sort = match words.order {
            Some(PriceOrder::CheapestFirst) => Sort::PriceAscending,
            Some(PriceOrder::DearestFirst) => Sort::PriceDescending,
            None => query.sort,
        };
    }
}

fn parse_facets(fields: &mut Fields, values: ParamValues) -> Vec<Facet> {
    let names = values.comma_separated(fields, "facets");
    let mut facets: Vec<Facet> =
        names.iter().filter_map(|name| fields.check("facets", name.parse())).collect();
    facets.sort_unstable();
    facets.dedup();
    facets
}

fn check_attributes(
    fields: &mut Fields,
    attributes: BTreeMap<String, AttributeParams>,
) -> Vec<AttributeFilter> {
    check_count(fields, "attr", attributes.len());
    let attributes = attributes.into_iter().take(VALUES_MAX);
    attributes
        .map(|(name, AttributeParams { values, min, max })| {
            check_length(fields, "attr", &name);
            let values = values.repeated(fields, &format!("{ATTRIBUTE_PREFIX}{name}"));
            let range = check_range(fields, &name, min, max);
            AttributeFilter { name, values, range }
        })
        .collect()
}

/// The accepted numbers of an attribute; `None` without bounds.
fn check_range(
    fields: &mut Fields,
    name: &str,
    min: ParamValues,
    max: ParamValues,
) -> Option<NumberRange> {
    let (min_name, max_name) =
        (format!("{NUMBER_MIN_PREFIX}{name}"), format!("{NUMBER_MAX_PREFIX}{name}"));
    let (min, max) = (min.measure(fields, &min_name), max.measure(fields, &max_name));
    if let (Some(min), Some(max)) = (min, max) {
        if min.unit != max.unit {
            fields.refuse(max_name, "invalid", format!("must have the unit of {min_name}"));
        } else if min.number > max.number {
            fields.refuse(max_name, "invalid", format!("must not be below {min_name}"));
        }
    }
    Some(NumberRange {
        min: min.map_or(f64::NEG_INFINITY, |min| min.number),
        max: max.map_or(f64::INFINITY, |max| max.number),
        unit: min.or(max)?.unit,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use problem::Problem;
    use vocabulary::Currency;

    use super::read_search;
    use crate::{
        app::search_products::{ReadAfterWrite, ReadCondition, SearchRequest},
        index::{AttributeFilter, Facet, NumberRange, Query, Sort},
    };

    fn read(pairs: &[(&str, &str)]) -> Result<SearchRequest, Problem> {
        read_in(Currency::CNY, pairs)
    }

    /// Reads a search in a shop with this currency.
    fn read_in(shop: Currency, pairs: &[(&str, &str)]) -> Result<SearchRequest, Problem> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        read_search(pairs.collect(), shop)
    }

    fn owned(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn words_for_the_price_yield_to_parameters() {
        let request = read(&[("q", "200元以下的耳机")]).unwrap();
        assert_eq!((request.query.q.as_str(), request.query.price_max), ("耳机", Some(20_000)));
        assert!(request.price_words.is_some());
        let request = read(&[("q", "便宜的耳机"), ("sort", "newest")]).unwrap();
        assert_eq!((request.query.q.as_str(), request.query.sort), ("耳机", Sort::Newest));
        for other in [("price_max", "100"), ("price_words", "false")] {
            let request = read(&[("q", "200元以下的耳机"), other]).unwrap();
            assert_eq!((request.query.q.as_str(), request.price_words), ("200元以下的耳机", None));
        }
    }

    #[test]
    fn the_shop_has_a_currency() {
        let request = read_in(Currency::EUR, &[("q", "耳机 under 200")]).unwrap();
        assert_eq!(
            (request.query.currency, request.query.price_max),
            (Currency::EUR, Some(20_000))
        );
        let yen = [("currency", "JPY"), ("q", "耳机 under 200")];
        let request = read_in(Currency::EUR, &yen).unwrap();
        assert_eq!((request.query.currency.as_str(), request.query.price_max), ("JPY", Some(200)));
        let problem = read(&[("currency", "RMB")]).unwrap_err();
        assert_eq!(problem.field_errors()[0].message, "RMB is no code of ISO 4217; use CNY");
    }

    #[test]
    fn every_parameter_is_read() {
        let id = "01920000-0000-7000-8000-000000000001";
        let request = read(&[
            ("q", "机械键盘"),
            ("category", "数码/键盘"),
            ("brand", "AULA,Logi"),
            ("brand", "Cherry"),
            ("currency", "EUR"),
            ("price_min", "100"),
            ("price_max", "100"),
            ("in_stock", "true"),
            ("attr.颜色", "黑"),
            ("attr.颜色", "白, 灰"),
            ("attr_min.重量", "1公斤"),
            ("attr_max.重量", "２.５ KG"),
            ("sort", "price_asc"),
            ("facets", "brand,attr.颜色"),
            ("facets", "brand"),
            ("limit", "0"),
            ("explain", "true"),
            ("product_id", id),
            ("min_version", "7"),
            ("wait_ms", "250"),
        ])
        .unwrap();
        let query = Query {
            q: "机械键盘".to_owned(),
            category: Some("数码/键盘".to_owned()),
            brands: owned(&["AULA,Logi", "Cherry"]),
            currency: Currency::EUR,
            price_min: Some(100),
            price_max: Some(100),
            in_stock: Some(true),
            attributes: vec![
                AttributeFilter {
                    name: "重量".to_owned(),
                    values: Vec::new(),
                    range: Some(NumberRange { min: 1.0, max: 2.5, unit: Some("kg") }),
                },
                AttributeFilter {
                    name: "颜色".to_owned(),
                    values: owned(&["黑", "白, 灰"]),
                    range: None,
                },
            ],
            sort: Sort::PriceAscending,
            facets: vec![Facet::Brand, Facet::Attribute("颜色".to_owned())],
            limit: 0,
            cursor: None,
            explain: true,
        };
        let condition = ReadCondition::Product(id.parse().unwrap(), 7);
        let wait = Duration::from_millis(250);
        let read_after_write = Some(ReadAfterWrite { condition, wait });
        assert_eq!(request, SearchRequest { query, price_words: None, read_after_write });
    }

    #[test]
    fn a_version_without_product_is_that_of_any_hit() {
        for (pair, condition) in [
            (("min_version", "7"), ReadCondition::AnyHit(7)),
            (("min_change", "9"), ReadCondition::Change(9)),
        ] {
            assert_eq!(read(&[pair]).unwrap().read_after_write.unwrap().condition, condition);
        }
    }

    #[test]
    fn no_parameters_match_everything() {
        let request = read(&[]).unwrap();
        assert_eq!(
            request,
            SearchRequest { query: Query::default(), price_words: None, read_after_write: None }
        );
    }

    #[test]
    fn a_long_query_is_cut() {
        let request = read(&[("q", &"键".repeat(300))]).unwrap();
        assert_eq!(request.query.q, "键".repeat(256));
    }

    #[test]
    fn blank_brands_are_no_filter() {
        assert_eq!(read(&[("brand", " "), ("brand", "")]).unwrap().query, Query::default());
    }

    #[test]
    fn all_invalid_parameters_are_listed() {
        let long = "键".repeat(257);
        for (pairs, invalid) in [
            (vec![("limit", "101")], vec!["limit"]),
            (vec![("limit", "ten")], vec!["limit"]),
            (vec![("sort", "cheap"), ("in_stock", "maybe")], vec!["in_stock", "sort"]),
            (vec![("facets", "colour")], vec!["facets"]),
            (vec![("q", "a"), ("q", "b")], vec!["q"]),
            (vec![("category", long.as_str())], vec!["category"]),
            (vec![("attr.a", long.as_str())], vec!["attr.a"]),
            (vec![("attr_min.a", "two")], vec!["attr_min.a"]),
            (vec![("attr_max.a", "")], vec!["attr_max.a"]),
            (vec![("attr_max.a", "1e9")], vec!["attr_max.a"]),
            (vec![("attr_min.a", "1..2")], vec!["attr_min.a"]),
            (vec![("attr_min.a", "1"), ("attr_min.a", "2")], vec!["attr_min.a"]),
            (vec![("attr_min.a", "2"), ("attr_max.a", "1.9")], vec!["attr_max.a"]),
            (vec![("attr_min.a", "1kg"), ("attr_max.a", "2g")], vec!["attr_max.a"]),
            (vec![("attr_min.a", "1"), ("attr_max.a", "2g")], vec!["attr_max.a"]),
            (vec![("price_min", "2"), ("price_max", "1")], vec!["price_max"]),
            (vec![("currency", "RMB")], vec!["currency"]),
            (vec![("currency", "cny")], vec!["currency"]),
            (vec![("currency", "CNY"), ("currency", "EUR")], vec!["currency"]),
            (vec![("price_min", "-1")], vec!["price_min"]),
            (vec![("min_version", "-1")], vec!["min_version"]),
            (vec![("min_version", "1"), ("min_change", "1")], vec!["min_change"]),
            (vec![("wait_ms", "10001")], vec!["wait_ms"]),
            (vec![("explain", "why")], vec!["explain"]),
            (vec![("product_id", "7")], vec!["product_id"]),
        ] {
            let problem = read(&pairs).unwrap_err();
            assert_eq!(problem.code(), "validation_failed", "{pairs:?}");
            let fields: Vec<&str> =
                problem.field_errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(fields, invalid, "{pairs:?}");
        }
        let names: Vec<String> = (0..33).map(|number| format!("attr_min.{number}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        assert_eq!(read(&many).unwrap_err().field_errors()[0].code, "too_many");
        for unknown in ["colour", "attr.", "attr_min.", "attr_max.", "attr_min", "Q"] {
            assert_eq!(read(&[(unknown, "x")]).unwrap_err().code(), "invalid_query");
        }
    }
}
