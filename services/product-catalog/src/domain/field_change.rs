//! Differences between two contents of a product, field by field.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Attribute, Content, Number, Sale};

/// The maximum length of a shown value, in characters.
const MAX_SHOWN: usize = 200;

/// A field with different values. None means that there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldChange {
    /// For example `variants.KB-1.price`.
    pub(crate) field: String,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

/// The fields that differ, by name.
pub(crate) fn changed_fields(from: Option<&Content>, to: &Content) -> Vec<FieldChange> {
    let (mut before, after) = (from.map(fields).unwrap_or_default(), fields(to));
    let mut changes = Vec::new();
    for (field, value) in after {
        let old = before.remove(&field);
        if old.as_ref() != Some(&value) {
            let (from, to) = (old.as_deref().map(shown), Some(shown(&value)));
            changes.push(FieldChange { field, from, to });
        }
    }
    let removed = before.into_iter();
    changes.extend(removed.map(|(field, value)| FieldChange {
        field,
        from: Some(shown(&value)),
        to: None,
    }));
    changes.sort_by(|a, b| a.field.cmp(&b.field));
    changes
}

fn shown(value: &str) -> String {
    value.chars().take(MAX_SHOWN).collect()
}

/// All values of a product as text.
fn fields(content: &Content) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut add = |field: String, value: Option<String>| {
        if let Some(value) = value {
            fields.insert(field, value);
        }
    };
    for (name, text) in [("title", &content.title), ("description", &content.description)] {
        add(format!("{name}.zh"), text.zh.clone());
        add(format!("{name}.en"), text.en.clone());
    }
    add("brand".to_owned(), content.brand.clone());
    add("category".to_owned(), Some(content.category.clone()));
    add("status".to_owned(), Some(content.status.as_str().to_owned()));
    let has_images = !content.images.is_empty();
    add("images".to_owned(), has_images.then(|| content.images.join(" ")));
    for (name, value) in &content.attributes {
        add(format!("attributes.{name}"), Some(attribute_text(value)));
    }
    for variant in &content.variants {
        let field = format!("variants.{}", variant.sku);
        add(format!("{field}.price"), Some(variant.price.to_string()));
        let compared = variant.compare_at_price.map(|price| price.to_string());
        add(format!("{field}.compare_at_price"), compared);
        if let Some(Sale { price, starts_at, ends_at }) = &variant.sale {
            add(format!("{field}.sale.price"), Some(price.to_string()));
            add(format!("{field}.sale.starts_at"), starts_at.map(time_text));
            add(format!("{field}.sale.ends_at"), ends_at.map(time_text));
        }
        add(format!("{field}.barcode"), variant.barcode.clone());
        for (name, value) in &variant.options {
            add(format!("{field}.options.{name}"), Some(value.clone()));
        }
    }
    fields
}

fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn attribute_text(attribute: &Attribute) -> String {
    match attribute {
        Attribute::Flag(flag) => flag.to_string(),
        Attribute::Number(Number::Unsigned(number)) => number.to_string(),
        Attribute::Number(Number::Signed(number)) => number.to_string(),
        Attribute::Number(Number::Decimal(number)) => number.to_string(),
        Attribute::Text(text) => text.clone(),
        Attribute::Texts(texts) => texts.join(", "),
    }
}
