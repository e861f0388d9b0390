//! Which changes of a schema break those who use it.
//!
//! While a release is rolled out, and long after it, consumers built before read what is said now, and consumers built now
//! read what was said before: from outboxes, queues, dead letters and backups. A change is harmless only if both go well. That
//! leaves little: a new event type, a new property that may be absent, and words for people. Whatever this module does not know
//! to be harmless, it takes for breaking.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

mod plain;

pub(crate) use plain::{ALTERNATIVES, nothing, plain};

/// The keyword that marks a list of values, or of alternatives, as open: consumers were told from the first day that there will
/// be more (in Rust, `#[schemars(extend("x-open" = true))]` beside a variant with `#[serde(other)]`).
pub const OPEN: &str = "x-open";

/// A change that breaks somebody, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {change}")]
pub struct Breakage {
    /// The name of the contract and, within it, the property, such as `order.placed.v1, lines[].sku`.
    pub place: String,
    /// What has changed.
    pub change: Change,
}

/// What has changed that must not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Change {
    /// A whole contract was removed.
    #[error("is gone; what was said before could not be read any more")]
    ContractGone,
    /// A property was removed.
    #[error("the property is gone; consumers built before would miss it")]
    PropertyGone,
    /// A property that could be absent must now be there.
    #[error("the property must now be there; in what was said before it may be absent")]
    BecameRequired,
    /// A property that was always there may now be absent.
    #[error("the property may now be absent; consumers built before count on it")]
    BecameOptional,
    /// A property was added that must be there.
    #[error("the property is new and must be there; what was said before lacks it")]
    NewAndRequired,
    /// A property was added where consumers refuse what they do not know, or where any name had a meaning already.
    #[error(
        "the property is new where others are not free; consumers built before would refuse or misread it"
    )]
    NewWhereClosed,
    /// Properties that are not known are refused from now on.
    #[error("other properties are refused from now on; what was said before may have some")]
    Closed,
    /// A value of a list was removed.
    #[error("the value {0} is gone; it may stand in what was said before")]
    ValueGone(Value),
    /// A value was added to a list that is not marked as open.
    #[error("the value {0} is new; consumers built before know only the others")]
    ValueNew(Value),
    /// A list is no longer marked as open.
    #[error("the list was open and is not any more")]
    NoLongerOpen,
    /// An alternative was removed.
    #[error("an alternative is gone: {0}")]
    AlternativeGone(Value),
    /// An alternative was added to a list that is not marked as open.
    #[error("an alternative is new: {0}; consumers built before know only the others")]
    AlternativeNew(Value),
    /// A keyword of the schema says something else: a type, a format, a bound, or one that is not known here.
    #[error("`{keyword}` was {was} and is {is}")]
    Keyword {
        /// Which.
        keyword: String,
        /// What it said; null if nothing.
        was: Value,
        /// What it says; null if nothing.
        is: Value,
    },
}

/// What breaks between two states of all contracts, each a JSON Schema under its name and version.
pub fn between(was: &BTreeMap<String, Value>, is: &BTreeMap<String, Value>) -> Vec<Breakage> {
    let broken = |(name, was): (&String, &Value)| match is.get(name) {
        None => vec![Breakage { place: name.clone(), change: Change::ContractGone }],
        Some(is) => {
            let mut found = breakages(was, is);
            for breakage in &mut found {
                let within = if breakage.place.is_empty() { "" } else { ", " };
                breakage.place = format!("{name}{within}{}", breakage.place);
            }
            found
        }
    };
    was.iter().flat_map(broken).collect()
}

/// What breaks if the schema `was` becomes the schema `is`. The places are properties, such as `lines[].sku`; the whole is the
/// empty place.
pub fn breakages(was: &Value, is: &Value) -> Vec<Breakage> {
    let mut found = Found(Vec::new());
    found.compare("", &plain(was), &plain(is));
    found.0
}

/// What has been found so far.
struct Found(Vec<Breakage>);

impl Found {
    fn add(&mut self, place: &str, change: Change) {
        self.0.push(Breakage { place: place.to_owned(), change });
    }

    /// Compares two schemas in their plain form.
    fn compare(&mut self, place: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        if was.get("type") != is.get("type") {
            // Whatever else differs, differs because of it.
            return self.keyword(place, "type", was, is);
        }
        self.properties(place, was, is);
        self.unnamed(place, was, is);
        self.other_properties(place, was, is);
        self.values(place, was, is);
        self.alternatives(place, was, is);
        self.items(place, was, is);
        self.openness(place, was, is);
        let mut keywords: Vec<&String> = was.keys().chain(is.keys()).collect();
        keywords.sort_unstable();
        keywords.dedup();
        for keyword in keywords {
            let known = ["properties", "required", "additionalProperties", "items", OPEN];
            let listed = ["enum", ALTERNATIVES].contains(&keyword.as_str())
                && was.contains_key(keyword)
                && is.contains_key(keyword);
            if !known.contains(&keyword.as_str()) && !listed {
                self.keyword(place, keyword, was, is);
            }
        }
    }

    /// A keyword that must say the same for ever.
    fn keyword(
        &mut self,
        place: &str,
        keyword: &str,
        was: &Map<String, Value>,
        is: &Map<String, Value>,
    ) {
        let (was, is) = (said(was, keyword), said(is, keyword));
        if was != is {
            self.add(place, Change::Keyword { keyword: keyword.to_owned(), was, is });
        }
    }

    fn properties(&mut self, place: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        let (old, new) = (named(was), named(is));
        for (name, before) in &old {
            let place = within(place, name);
            let Some(after) = new.get(name) else {
                self.add(&place, Change::PropertyGone);
                continue;
            };
            match (requires(was, name), requires(is, name)) {
                (false, true) => self.add(&place, Change::BecameRequired),
                (true, false) => self.add(&place, Change::BecameOptional),
                (true, true) | (false, false) => {}
            }
            self.compare(&place, before, after);
        }
        for name in new.keys().filter(|name| !old.contains_key(*name)) {
            let place = within(place, name);
            if requires(is, name) {
                self.add(&place, Change::NewAndRequired);
            }
            if was.contains_key("additionalProperties") {
                self.add(&place, Change::NewWhereClosed);
            }
        }
    }

    /// Properties that are required by name alone.
    fn unnamed(&mut self, place: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        let required = |schema| list(schema, "required").into_iter().flatten();
        let names = |schema| required(schema).filter_map(Value::as_str);
        let (old, new) = (named(was), named(is));
        for name in names(is).filter(|name| !new.contains_key(*name) && !requires(was, name)) {
            self.add(&within(place, name), Change::BecameRequired);
        }
        for name in names(was).filter(|name| !old.contains_key(*name) && !requires(is, name)) {
            self.add(&within(place, name), Change::BecameOptional);
        }
    }

    /// What properties may be that are not named.
    fn other_properties(&mut self, place: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        let keyword = "additionalProperties";
        let (before, after) = (said(was, keyword), said(is, keyword));
        let (was_closed, is_closed) = (before == nothing(), after == nothing());
        match (before.as_object(), after.as_object()) {
            _ if is_closed && !was_closed => self.add(place, Change::Closed),
            // To open is the first step of adding a property: consumers with it ship before the property does.
            (_, None) if was_closed => {}
            (Some(before), Some(after)) if !was_closed => {
                self.compare(&format!("{place}{{}}"), before, after);
            }
            _ => self.keyword(place, keyword, was, is),
        }
    }

    fn values(&mut self, place: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        let (Some(old), Some(new)) = (list(was, "enum"), list(is, "enum")) else { return };
        for value in old.iter().filter(|value| !new.contains(value)) {
            self.add(place, Change::ValueGone(value.clone()));
        }
        for value in new.iter().filter(|value| !old.contains(value) && !open(was)) {
            self.add(place, Change::ValueNew(value.clone()));
        }
    }

    fn alternatives(&mut self, place: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        let (Some(old), Some(new)) = (list(was, ALTERNATIVES), list(is, ALTERNATIVES)) else {
            return;
        };
        let gone: Vec<_> = old.iter().filter(|one| !new.contains(one)).collect();
        let come: Vec<_> = new.iter().filter(|one| !old.contains(one)).collect();
        // As many as before: they are the same in their order, and changed.
        if gone.len() == come.len() {
            for (number, (before, after)) in gone.into_iter().zip(come).enumerate() {
                if let (Some(before), Some(after)) = (before.as_object(), after.as_object()) {
                    self.compare(&format!("{place}<{}>", number + 1), before, after);
                }
            }
            return;
        }
        for alternative in gone {
            self.add(place, Change::AlternativeGone(alternative.clone()));
        }
        for alternative in come.into_iter().filter(|_| !open(was)) {
            self.add(place, Change::AlternativeNew(alternative.clone()));
        }
    }

    fn items(&mut self, place: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        match (said(was, "items").as_object(), said(is, "items").as_object()) {
            (Some(before), Some(after)) => self.compare(&format!("{place}[]"), before, after),
            _ => self.keyword(place, "items", was, is),
        }
    }

    fn openness(&mut self, place: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        if open(was) && !open(is) {
            self.add(place, Change::NoLongerOpen);
        }
    }
}

/// What a schema says under a keyword; null if nothing.
fn said(schema: &Map<String, Value>, keyword: &str) -> Value {
    schema.get(keyword).cloned().unwrap_or_default()
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> Option<&'a Vec<Value>> {
    schema.get(keyword).and_then(Value::as_array)
}

fn open(schema: &Map<String, Value>) -> bool {
    schema.get(OPEN) == Some(&json!(true))
}

/// The properties that a schema names.
fn named(schema: &Map<String, Value>) -> BTreeMap<&str, &Map<String, Value>> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.filter_map(|(name, schema)| Some((name.as_str(), schema.as_object()?))).collect()
}

fn requires(schema: &Map<String, Value>, name: &str) -> bool {
    list(schema, "required").is_some_and(|required| required.iter().any(|one| one == name))
}

fn within(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

#[cfg(test)]
mod tests;
