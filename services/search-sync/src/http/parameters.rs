//! The parameters of a search: read from the query string, each checked, all that is wrong told at once.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use problem::{FieldError, Fields, Problem};
use vocabulary::ProductId;

use crate::index::{Facet, LIMIT_MAX, Query, Sort};

/// The longest text, in characters.
const TEXT: usize = 256;
/// The most brands, attributes, values of an attribute, and facets.
const LIST: usize = 32;
/// How many hits a page has unless the request says otherwise.
const LIMIT: usize = 20;
/// The highest price, in minor units.
const PRICE: i64 = 1_000_000_000_000;
/// How long to wait for a version unless the request says otherwise, and at most.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    /// The search.
    pub(super) query: Query,
    /// What the index has to have first.
    pub(super) fresh: Option<Fresh>,
}

/// What the index has to have before it is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fresh {
    /// What.
    pub(super) awaited: Awaited,
    /// How long to wait for it.
    pub(super) wait: Duration,
}

/// What a search waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// This product in this version or a later one.
    Product(ProductId, i64),
    /// A hit in this version or a later one.
    Hit(i64),
    /// The change of this number.
    Change(i64),
}

/// Reads the pairs of a query string. 400 for a parameter that there is not, 422 for values that are wrong.
pub(super) fn parse(pairs: Vec<(String, String)>) -> Result<Asked, Problem> {
    let mut given = Given::sort(pairs)?;
    let mut fields = Fields::new();
    let query = Query {
        q: given.text(&mut fields, "q").unwrap_or_default(),
        category: given.text(&mut fields, "category").filter(|path| !path.is_empty()),
        brands: given.list(&mut fields, "brand"),
        price_min: given.number(&mut fields, "price_min", 0, PRICE),
        price_max: given.number(&mut fields, "price_max", 0, PRICE),
        in_stock: given.parsed(&mut fields, "in_stock"),
        attributes: given.attributes(&mut fields),
        sort: given.parsed::<Sort>(&mut fields, "sort").unwrap_or_default(),
        facets: given.facets(&mut fields),
        limit: given.limit(&mut fields, LIMIT, LIMIT_MAX),
        cursor: given.one(&mut fields, "cursor").filter(|cursor| !cursor.is_empty()),
    };
    if let (Some(min), Some(max)) = (query.price_min, query.price_max)
        && min > max
    {
        fields.refuse("price_max", "invalid", "must not be below price_min");
    }
    let product = given.parsed::<ProductId>(&mut fields, "product_id");
    let version = given.number(&mut fields, "min_version", 0, i64::MAX);
    let longest = i64::try_from(WAIT.1.as_millis()).unwrap_or(i64::MAX);
    let wait = given.number(&mut fields, "wait_ms", 0, longest);
    let wait = wait.map_or(WAIT.0, |wait| Duration::from_millis(wait.unsigned_abs()));
    let change = given.number(&mut fields, "min_change", 0, i64::MAX);
    if product.is_some() && version.is_none() {
        fields.refuse("min_version", "required", "is required with product_id");
    }
    if version.is_some() && change.is_some() {
        fields.refuse("min_change", "invalid", "cannot be asked for together with min_version");
    }
    fields.finish()?;
    let awaited = match (product, version, change) {
        (Some(product), Some(version), _) => Some(Awaited::Product(product, version)),
        (None, Some(version), _) => Some(Awaited::Hit(version)),
        (_, None, change) => change.map(Awaited::Change),
    };
    Ok(Asked { query, fresh: awaited.map(|awaited| Fresh { awaited, wait }) })
}

/// What `GET /v1/suggest` asks for: what was typed, and how many suggestions.
pub(super) fn parse_prefix(
    pairs: Vec<(String, String)>,
    limit: usize,
    limit_max: usize,
) -> Result<(String, usize), Problem> {
    let mut given = Given::sort(pairs)?;
    given.refuse_but(&["q", "limit"])?;
    let mut fields = Fields::new();
    let prefix = given.text(&mut fields, "q");
    let limit = given.limit(&mut fields, limit, limit_max);
    let prefix = fields.require("q", prefix);
    fields.finish_with(|| Some((prefix?, limit)))
}

/// The values of each parameter that was given.
struct Given(BTreeMap<String, Vec<String>>);

/// What may be given beside `attr.<name>`.
const NAMES: [&str; 14] = [
    "q",
    "category",
    "brand",
    "price_min",
    "price_max",
    "in_stock",
    "sort",
    "facets",
    "limit",
    "cursor",
    "product_id",
    "min_version",
    "min_change",
    "wait_ms",
];

impl Given {
    fn sort(pairs: Vec<(String, String)>) -> Result<Self, Problem> {
        let mut given: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in pairs {
            let is_attribute = name.strip_prefix("attr.").is_some_and(|name| !name.is_empty());
            if !is_attribute && !NAMES.contains(&name.as_str()) {
                return Err(unknown(&name));
            }
            given.entry(name).or_default().push(value);
        }
        Ok(Self(given))
    }

    fn refuse_but(&self, names: &[&str]) -> Result<(), Problem> {
        let stranger = self.0.keys().find(|name| !names.contains(&name.as_str()));
        stranger.map_or(Ok(()), |name| Err(unknown(name)))
    }

    fn all(&mut self, name: &str) -> Vec<String> {
        self.0.remove(name).unwrap_or_default()
    }

    fn one(&mut self, fields: &mut Fields, name: &str) -> Option<String> {
        let mut values = self.all(name);
        if values.len() > 1 {
            fields.refuse(name, "invalid", "was given more than once");
        }
        values.pop()
    }

    fn text(&mut self, fields: &mut Fields, name: &str) -> Option<String> {
        let text = self.one(fields, name)?;
        bounded(fields, name, &text).then_some(text)
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        fields: &mut Fields,
        name: &str,
    ) -> Option<T> {
        let text = self.one(fields, name)?;
        fields.check(name, text.parse())
    }

    fn number(&mut self, fields: &mut Fields, name: &str, min: i64, max: i64) -> Option<i64> {
        let number: i64 = self.parsed(fields, name)?;
        if (min..=max).contains(&number) {
            return Some(number);
        }
        fields.refuse(name, "invalid", format!("must be {min} to {max}"));
        None
    }

    fn limit(&mut self, fields: &mut Fields, default: usize, max: usize) -> usize {
        let limit = self.number(fields, "limit", 0, i64::try_from(max).unwrap_or(i64::MAX));
        limit.map_or(default, |limit| usize::try_from(limit).unwrap_or(default))
    }

    /// The values of a parameter that may be repeated, or hold several with commas between them.
    fn list(&mut self, fields: &mut Fields, name: &str) -> Vec<String> {
        let values = self.all(name);
        let values: Vec<String> = values
            .iter()
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect();
        few(fields, name, values.len());
        values.into_iter().take(LIST).filter(|value| bounded(fields, name, value)).collect()
    }

    fn facets(&mut self, fields: &mut Fields) -> Vec<Facet> {
        let names = self.list(fields, "facets");
        let mut facets: Vec<Facet> =
            names.iter().filter_map(|name| fields.check("facets", name.parse())).collect();
        facets.sort_unstable();
        facets.dedup();
        facets
    }

    /// The values of each attribute; they may hold commas, so they are repeated.
    fn attributes(&mut self, fields: &mut Fields) -> Vec<(String, Vec<String>)> {
        let names = self.0.keys().filter(|name| name.starts_with("attr.")).cloned();
        let names: Vec<String> = names.collect();
        few(fields, "attr", names.len());
        let mut attributes = Vec::new();
        for name in names.into_iter().take(LIST) {
            let values = self.all(&name);
            few(fields, &name, values.len());
            let key = name.strip_prefix("attr.").unwrap_or(&name).to_owned();
            bounded(fields, "attr", &key);
            let fits = |value: &String| bounded(fields, &name, value);
            attributes.push((key, values.into_iter().take(LIST).filter(fits).collect()));
        }
        attributes
    }
}

fn bounded(fields: &mut Fields, name: &str, text: &str) -> bool {
    let fits = text.chars().count() <= TEXT;
    if !fits {
        fields.refuse(name, "too_long", format!("must have at most {TEXT} characters"));
    }
    fits
}

fn few(fields: &mut Fields, name: &str, count: usize) {
    if count > LIST {
        fields.refuse(name, "too_many", format!("must be at most {LIST}"));
    }
}

fn unknown(name: &str) -> Problem {
    Problem::bad_request("invalid_query", "The query string is not valid")
        .errors(vec![FieldError::new(name, "unknown_field", "there is no such parameter")])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use problem::Problem;

    use super::{Asked, Awaited, Fresh, parse, parse_prefix};
    use crate::index::{Facet, Query, Sort};

    fn asked(pairs: &[(&str, &str)]) -> Result<Asked, Problem> {
        parse(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn owned(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn every_parameter_is_read() {
        let id = "01920000-0000-7000-8000-000000000001";
        let asked = asked(&[
            ("q", "机械键盘"),
            ("category", "数码/键盘"),
            ("brand", "AULA,Logi"),
            ("brand", "Cherry"),
            ("price_min", "100"),
            ("price_max", "100"),
            ("in_stock", "true"),
            ("attr.颜色", "黑"),
            ("attr.颜色", "白, 灰"),
            ("sort", "price_asc"),
            ("facets", "brand,attr.颜色"),
            ("facets", "brand"),
            ("limit", "0"),
            ("product_id", id),
            ("min_version", "7"),
            ("wait_ms", "250"),
        ])
        .unwrap();
        let query = Query {
            q: "机械键盘".to_owned(),
            category: Some("数码/键盘".to_owned()),
            brands: owned(&["AULA", "Logi", "Cherry"]),
            price_min: Some(100),
            price_max: Some(100),
            in_stock: Some(true),
            attributes: vec![("颜色".to_owned(), owned(&["黑", "白, 灰"]))],
            sort: Sort::PriceAscending,
            facets: vec![Facet::Brand, Facet::Attribute("颜色".to_owned())],
            limit: 0,
            cursor: None,
        };
        let awaited = Awaited::Product(id.parse().unwrap(), 7);
        let wait = Duration::from_millis(250);
        assert_eq!(asked, Asked { query, fresh: Some(Fresh { awaited, wait }) });
    }

    #[test]
    fn a_version_alone_is_that_of_a_hit() {
        for (pair, awaited) in
            [(("min_version", "7"), Awaited::Hit(7)), (("min_change", "9"), Awaited::Change(9))]
        {
            assert_eq!(asked(&[pair]).unwrap().fresh.unwrap().awaited, awaited);
        }
    }

    #[test]
    fn nothing_asks_for_everything() {
        let asked = asked(&[]).unwrap();
        assert_eq!(asked, Asked { query: Query::default(), fresh: None });
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let long = "键".repeat(257);
        for (pairs, wrong) in [
            (vec![("limit", "101")], vec!["limit"]),
            (vec![("limit", "ten")], vec!["limit"]),
            (vec![("sort", "cheap"), ("in_stock", "maybe")], vec!["in_stock", "sort"]),
            (vec![("facets", "colour")], vec!["facets"]),
            (vec![("q", "a"), ("q", "b")], vec!["q"]),
            (vec![("q", long.as_str())], vec!["q"]),
            (vec![("attr.a", long.as_str())], vec!["attr.a"]),
            (vec![("price_min", "2"), ("price_max", "1")], vec!["price_max"]),
            (vec![("price_min", "-1")], vec!["price_min"]),
            (vec![("min_version", "-1")], vec!["min_version"]),
            (vec![("min_version", "1"), ("min_change", "1")], vec!["min_change"]),
            (vec![("wait_ms", "10001")], vec!["wait_ms"]),
            (vec![("product_id", "7")], vec!["product_id"]),
        ] {
            let problem = asked(&pairs).unwrap_err();
            assert_eq!(problem.code(), "validation_failed", "{pairs:?}");
            let fields: Vec<&str> =
                problem.field_errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(fields, wrong, "{pairs:?}");
        }
        for unknown in ["colour", "attr.", "Q"] {
            assert_eq!(asked(&[(unknown, "x")]).unwrap_err().code(), "invalid_query");
        }
    }

    #[test]
    fn suggestions_take_a_prefix_and_a_limit() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            parse_prefix(pairs.collect(), 8, 20)
        };
        assert_eq!(of(&[("q", "jian")]).unwrap(), ("jian".to_owned(), 8));
        assert_eq!(of(&[("q", ""), ("limit", "3")]).unwrap(), (String::new(), 3));
        assert_eq!(of(&[]).unwrap_err().code(), "validation_failed");
        assert_eq!(of(&[("q", "a"), ("limit", "21")]).unwrap_err().code(), "validation_failed");
        assert_eq!(of(&[("q", "a"), ("sort", "newest")]).unwrap_err().code(), "invalid_query");
    }
}
