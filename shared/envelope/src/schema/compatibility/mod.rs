//! Detects incompatible changes of a schema.
//!
//! During and long after a release, old consumers read new events, and new consumers read old events: from outboxes, queues, dead
//! letters and backups. A change is compatible only if both directions work. That leaves a new event type, a new optional property,
//! and annotations. Every change that this module does not know to be compatible counts as breaking.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::normal_form::{ALTERNATIVES, normalize, reject_all};

/// The keyword that marks a list of values or alternatives as open: consumers expect new values from the first release on. In
/// Rust: `#[schemars(extend("x-open" = true))]` beside a variant with `#[serde(other)]`.
pub const OPEN: &str = "x-open";

/// A breaking change and its path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {change}")]
pub struct Breakage {
    /// The name of the contract and the property, such as `order.placed.v1, lines[].sku`.
    pub path: String,
    pub change: Change,
}

/// A change that breaks old or new consumers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Change {
    /// A whole contract was removed.
    #[error("was removed; events published before could no longer be read")]
    ContractRemoved,
    #[error("the property was removed; old consumers may require it")]
    PropertyRemoved,
    #[error("the property became required; old events may lack it")]
    BecameRequired,
    #[error("the property became optional; old consumers require it")]
    BecameOptional,
    #[error("the property is new and required; old events lack it")]
    RequiredPropertyAdded,
    /// A property was added where consumers reject unknown properties, or where any name already had a meaning.
    #[error(
        "the property is new where other properties are restricted; old consumers would reject or misread it"
    )]
    PropertyAddedWhereRestricted,
    #[error("unknown properties are now rejected; old events may have some")]
    Closed,
    #[error("the value {0} was removed; old events may contain it")]
    ValueRemoved(Value),
    /// A value was added to a list that is not open.
    #[error("the value {0} is new; old consumers do not know it")]
    ValueAdded(Value),
    #[error("the list is no longer open")]
    NoLongerOpen,
    #[error("an alternative was removed: {0}")]
    AlternativeRemoved(Value),
    /// An alternative was added to a list that is not open.
    #[error("an alternative is new: {0}; old consumers do not know it")]
    AlternativeAdded(Value),
    /// Another keyword changed: a type, a format, a bound, or one that this module does not know.
    #[error("`{keyword}` changed from {old} to {new}")]
    Keyword {
        keyword: String,
        /// Null if absent.
        old: Value,
        /// Null if absent.
        new: Value,
    },
}

/// The breaking changes between two sets of contracts: JSON Schemas by name with version.
pub fn between(old: &BTreeMap<String, Value>, new: &BTreeMap<String, Value>) -> Vec<Breakage> {
    let compare = |(name, old): (&String, &Value)| match new.get(name) {
        None => vec![Breakage { path: name.clone(), change: Change::ContractRemoved }],
        Some(new) => {
            let mut found = breakages(old, new);
            for breakage in &mut found {
                let separator = if breakage.path.is_empty() { "" } else { ", " };
                breakage.path = format!("{name}{separator}{}", breakage.path);
            }
            found
        }
    };
    old.iter().flat_map(compare).collect()
}

/// The breaking changes from one schema to another. Paths name properties, such as `lines[].sku`; the root has the empty path.
pub fn breakages(old: &Value, new: &Value) -> Vec<Breakage> {
    let mut breakages = Breakages(Vec::new());
    breakages.compare("", &normalize(old), &normalize(new));
    breakages.0
}

struct Breakages(Vec<Breakage>);

impl Breakages {
    fn add(&mut self, path: &str, change: Change) {
        self.0.push(Breakage { path: path.to_owned(), change });
    }

    /// Compares two schemas in normal form.
    fn compare(&mut self, path: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        if old.get("type") != new.get("type") {
            // All other differences follow from this one.
            return self.keyword(path, "type", old, new);
        }
        self.properties(path, old, new);
        self.undefined_properties(path, old, new);
        self.other_properties(path, old, new);
        self.values(path, old, new);
        self.alternatives(path, old, new);
        self.items(path, old, new);
        self.openness(path, old, new);
        let mut keywords: Vec<&String> = old.keys().chain(new.keys()).collect();
        keywords.sort_unstable();
        keywords.dedup();
        for keyword in keywords {
            let known = ["properties", "required", "additionalProperties", "items", OPEN];
            let listed = ["enum", ALTERNATIVES].contains(&keyword.as_str())
                && old.contains_key(keyword)
                && new.contains_key(keyword);
            if !known.contains(&keyword.as_str()) && !listed {
                self.keyword(path, keyword, old, new);
            }
        }
    }

    /// Compares a keyword that must never change.
    fn keyword(
        &mut self,
        path: &str,
        keyword: &str,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
    ) {
        let (old, new) = (keyword_of(old, keyword), keyword_of(new, keyword));
        if old != new {
            self.add(path, Change::Keyword { keyword: keyword.to_owned(), old, new });
        }
    }

    fn properties(&mut self, path: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        let (old_properties, new_properties) = (properties_of(old), properties_of(new));
        for (name, before) in &old_properties {
            let path = join_path(path, name);
            let Some(after) = new_properties.get(name) else {
                self.add(&path, Change::PropertyRemoved);
                continue;
            };
            match (requires(old, name), requires(new, name)) {
                (false, true) => self.add(&path, Change::BecameRequired),
                (true, false) => self.add(&path, Change::BecameOptional),
                (true, true) | (false, false) => {}
            }
            self.compare(&path, before, after);
        }
        for name in new_properties.keys().filter(|name| !old_properties.contains_key(*name)) {
            let path = join_path(path, name);
            if requires(new, name) {
                self.add(&path, Change::RequiredPropertyAdded);
            }
            if old.contains_key("additionalProperties") {
                self.add(&path, Change::PropertyAddedWhereRestricted);
            }
        }
    }

    /// Compares properties that are required but not defined.
    fn undefined_properties(
        &mut self,
        path: &str,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
    ) {
        let required = |schema| list(schema, "required").into_iter().flatten();
        let names = |schema| required(schema).filter_map(Value::as_str);
        let (old_properties, new_properties) = (properties_of(old), properties_of(new));
        for name in
            names(new).filter(|name| !new_properties.contains_key(*name) && !requires(old, name))
        {
            self.add(&join_path(path, name), Change::BecameRequired);
        }
        for name in
            names(old).filter(|name| !old_properties.contains_key(*name) && !requires(new, name))
        {
            self.add(&join_path(path, name), Change::BecameOptional);
        }
    }

    /// Compares the schemas of properties that are not defined by name.
    fn other_properties(&mut self, path: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        let keyword = "additionalProperties";
        let (before, after) = (keyword_of(old, keyword), keyword_of(new, keyword));
        let (old_closed, new_closed) = (before == reject_all(), after == reject_all());
        match (before.as_object(), after.as_object()) {
            _ if new_closed && !old_closed => self.add(path, Change::Closed),
            // Accepting unknown properties is the first step of adding one: consumers are released before the property.
            (_, None) if old_closed => {}
            (Some(before), Some(after)) if !old_closed => {
                self.compare(&format!("{path}{{}}"), before, after);
            }
            _ => self.keyword(path, keyword, old, new),
        }
    }

    fn values(&mut self, path: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        let (Some(old_list), Some(new_list)) = (list(old, "enum"), list(new, "enum")) else {
            return;
        };
        for value in old_list.iter().filter(|value| !new_list.contains(value)) {
            self.add(path, Change::ValueRemoved(value.clone()));
        }
        for value in new_list.iter().filter(|value| !old_list.contains(value) && !open(old)) {
            self.add(path, Change::ValueAdded(value.clone()));
        }
    }

    fn alternatives(&mut self, path: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        let (Some(old_list), Some(new_list)) = (list(old, ALTERNATIVES), list(new, ALTERNATIVES))
        else {
            return;
        };
        let removed: Vec<_> = old_list.iter().filter(|one| !new_list.contains(one)).collect();
        let added: Vec<_> = new_list.iter().filter(|one| !old_list.contains(one)).collect();
        // The same number as before: the alternatives changed, pairwise in order.
        if removed.len() == added.len() {
            for (number, (before, after)) in removed.into_iter().zip(added).enumerate() {
                if let (Some(before), Some(after)) = (before.as_object(), after.as_object()) {
                    self.compare(&format!("{path}<{}>", number + 1), before, after);
                }
            }
            return;
        }
        for alternative in removed {
            self.add(path, Change::AlternativeRemoved(alternative.clone()));
        }
        for alternative in added.into_iter().filter(|_| !open(old)) {
            self.add(path, Change::AlternativeAdded(alternative.clone()));
        }
    }

    fn items(&mut self, path: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        match (keyword_of(old, "items").as_object(), keyword_of(new, "items").as_object()) {
            (Some(before), Some(after)) => self.compare(&format!("{path}[]"), before, after),
            _ => self.keyword(path, "items", old, new),
        }
    }

    fn openness(&mut self, path: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        if open(old) && !open(new) {
            self.add(path, Change::NoLongerOpen);
        }
    }
}

/// The value of a keyword; null if absent.
fn keyword_of(schema: &Map<String, Value>, keyword: &str) -> Value {
    schema.get(keyword).cloned().unwrap_or_default()
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> Option<&'a Vec<Value>> {
    schema.get(keyword).and_then(Value::as_array)
}

fn open(schema: &Map<String, Value>) -> bool {
    schema.get(OPEN) == Some(&json!(true))
}

/// The properties that a schema defines.
fn properties_of(schema: &Map<String, Value>) -> BTreeMap<&str, &Map<String, Value>> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.filter_map(|(name, schema)| Some((name.as_str(), schema.as_object()?))).collect()
}

fn requires(schema: &Map<String, Value>, name: &str) -> bool {
    list(schema, "required").is_some_and(|required| required.iter().any(|one| one == name))
}

fn join_path(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests;
