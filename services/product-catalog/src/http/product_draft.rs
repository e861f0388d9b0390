//! The request body for a product. A line of an NDJSON import has the same form.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use vocabulary::{Localized, Money};

use super::{not_valid, product_status_view::ProductStatusView};
use crate::domain::{
    Attribute, Content, Draft, DraftAttribute, DraftPrice, DraftSale, DraftVariant, Number, Sale,
    Variant,
};

/// Fields of exported lines that an import ignores, because it finds products by SKU.
const EXPORT_FIELDS: [&str; 4] = ["id", "version", "created_at", "updated_at"];
/// Like [`EXPORT_FIELDS`], for a variant: it follows from the sale.
const CURRENT_PRICE: &str = "current_price";

/// The content of a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductDraft {
    /// In at least one language; at most 500 characters.
    title: Localized,
    /// At most 20,000 characters.
    #[serde(default)]
    description: Localized,
    #[serde(default)]
    brand: Option<String>,
    /// One to five levels, separated by `/`.
    #[schema(example = "数码/电脑外设/机械键盘")]
    category: String,
    /// At most 400; values are text, numbers, booleans, or lists of text.
    #[serde(default)]
    #[schema(value_type = Object)]
    attributes: BTreeMap<String, Value>,
    /// URLs of images, `http` or `https`; at most 50.
    #[serde(default)]
    images: Vec<String>,
    /// Default: `active`.
    #[serde(default)]
    status: ProductStatusView,
    /// The sellable forms of the product: 1 to 100; a draft may have none.
    #[serde(default)]
    variants: Vec<VariantDraft>,
}

/// One sellable form of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VariantDraft {
    /// Unique in the whole catalogue: 1 to 64 ASCII letters, digits and `-_./+#`.
    #[schema(example = "KB-F87-RED")]
    sku: String,
    /// The differences to the other variants, such as `颜色: 红`.
    #[serde(default)]
    options: BTreeMap<String, String>,
    /// The regular price of one piece.
    price: PriceDraft,
    /// A higher price in the same currency, shown struck through beside the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compare_at_price: Option<PriceDraft>,
    /// A lower price for a time. It starts and ends by itself; an ended sale is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sale: Option<SaleDraft>,
    /// An EAN or UPC: 8 to 14 digits.
    #[serde(default)]
    barcode: Option<String>,
}

/// A lower price for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaleDraft {
    /// Less than the regular price, in the same currency.
    price: PriceDraft,
    /// Default: at once.
    #[serde(default, deserialize_with = "problem::timestamp::optional")]
    starts_at: Option<DateTime<Utc>>,
    /// The first moment after the sale. Default: no end.
    #[serde(default, deserialize_with = "problem::timestamp::optional")]
    ends_at: Option<DateTime<Utc>>,
}

/// A price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"amount": 12900, "currency": "CNY"}))]
pub(super) struct PriceDraft {
    /// Minor units: 12900 is 129.00. Zero or more.
    amount: i64,
    /// Three capital letters.
    currency: String,
}

impl ProductDraft {
    /// The valid content, or 422 with every invalid field.
    pub(super) fn into_content(self) -> Result<Content, Problem> {
        Draft::from(self).validate().map_err(not_valid)
    }
}

/// Parses a line of an NDJSON import. Exported lines are accepted.
pub(crate) fn draft_of_json_line(line: &[u8]) -> Result<Draft, String> {
    if let Ok(draft) = serde_json::from_slice::<ProductDraft>(line) {
        return Ok(draft.into());
    }
    let mut value: Value =
        serde_json::from_slice(line).map_err(|error| format!("is not JSON: {error}"))?;
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, _| !EXPORT_FIELDS.contains(&name.as_str()));
        let variants = members.get_mut("variants").and_then(Value::as_array_mut);
        for variant in variants.into_iter().flatten().filter_map(Value::as_object_mut) {
            variant.remove(CURRENT_PRICE);
        }
    }
    let draft: ProductDraft = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        if path == "." { error.inner().to_string() } else { format!("{path}: {}", error.inner()) }
    })?;
    Ok(draft.into())
}

impl From<ProductDraft> for Draft {
    fn from(body: ProductDraft) -> Self {
        let attributes = body.attributes.into_iter();
        Self {
            title: body.title,
            description: body.description,
            brand: body.brand,
            category: body.category,
            attributes: attributes.map(|(name, value)| (name, draft_attribute(value))).collect(),
            images: body.images,
            status: body.status.into(),
            variants: body.variants.into_iter().map(DraftVariant::from).collect(),
        }
    }
}

fn draft_attribute(value: Value) -> DraftAttribute {
    let text = |value| match value {
        Value::String(text) => Some(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    };
    match value {
        Value::Bool(flag) => DraftAttribute::Flag(flag),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), _, _) => DraftAttribute::Number(Number::Unsigned(number)),
            (None, Some(number), _) => DraftAttribute::Number(Number::Signed(number)),
            (None, None, Some(number)) => DraftAttribute::Number(Number::Decimal(number)),
            (None, None, None) => DraftAttribute::Unsupported,
        },
        Value::String(text) => DraftAttribute::Text(text),
        Value::Array(values) => DraftAttribute::List(values.into_iter().map(text).collect()),
        Value::Null | Value::Object(_) => DraftAttribute::Unsupported,
    }
}

impl From<VariantDraft> for DraftVariant {
    fn from(body: VariantDraft) -> Self {
        let VariantDraft { sku, options, price, compare_at_price, sale, barcode } = body;
        let sale = sale.map(|SaleDraft { price, starts_at, ends_at }| DraftSale {
            price: price.into(),
            starts_at,
            ends_at,
        });
        let compare_at_price = compare_at_price.map(DraftPrice::from);
        Self { sku, options, price: price.into(), compare_at_price, sale, barcode }
    }
}

impl From<PriceDraft> for DraftPrice {
    fn from(PriceDraft { amount, currency }: PriceDraft) -> Self {
        Self { amount, currency }
    }
}

impl From<Money> for PriceDraft {
    fn from(price: Money) -> Self {
        Self { amount: price.amount(), currency: price.currency().to_string() }
    }
}

/// The body that would write `content`; a merge patch applies to it.
impl From<Content> for ProductDraft {
    fn from(content: Content) -> Self {
        let attributes = content.attributes.into_iter();
        Self {
            title: content.title,
            description: content.description,
            brand: content.brand,
            category: content.category,
            attributes: attributes.map(|(name, value)| (name, attribute_value(value))).collect(),
            images: content.images,
            status: content.status.into(),
            variants: content.variants.into_iter().map(VariantDraft::from).collect(),
        }
    }
}

impl From<Variant> for VariantDraft {
    fn from(variant: Variant) -> Self {
        let Variant { sku, options, price, compare_at_price, sale, barcode } = variant;
        let sale = sale.map(|Sale { price, starts_at, ends_at }| SaleDraft {
            price: price.into(),
            starts_at,
            ends_at,
        });
        let compare_at_price = compare_at_price.map(PriceDraft::from);
        Self { sku: sku.to_string(), options, price: price.into(), compare_at_price, sale, barcode }
    }
}

/// The JSON value of an attribute.
pub(super) fn attribute_value(attribute: Attribute) -> Value {
    match attribute {
        Attribute::Flag(flag) => flag.into(),
        Attribute::Number(Number::Unsigned(number)) => number.into(),
        Attribute::Number(Number::Signed(number)) => number.into(),
        Attribute::Number(Number::Decimal(number)) => number.into(),
        Attribute::Text(text) => text.into(),
        Attribute::Texts(texts) => texts.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Draft, ProductDraft, draft_of_json_line};

    fn draft(attributes: &Value) -> Draft {
        let price = json!({"amount": 12900, "currency": "CNY"});
        let body = json!({
            "title": {"en": "Keyboard"}, "category": "a/b", "attributes": attributes,
            "variants": [{"sku": "K-1", "price": price, "barcode": "6901234567892"}],
        });
        serde_json::from_value::<ProductDraft>(body).unwrap().into()
    }

    #[test]
    fn types_of_attributes_are_kept() {
        let attributes = json!({
            "flag": true, "whole": 6, "real": 6.0, "negative": -3, "text": "x", "list": ["a", "b"], "none": [],
        });
        let content = draft(&attributes).validate().unwrap();
        let body = serde_json::to_value(ProductDraft::from(content)).unwrap();
        assert_eq!(body["attributes"], attributes);
    }

    #[test]
    fn unsupported_attributes_are_refused() {
        let errors = draft(&json!({"a": {"b": 1}, "c": [1], "e": null})).validate().unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["attributes.a", "attributes.c[0]", "attributes.e"]);
    }

    #[test]
    fn invalid_lines_report_the_reason() {
        let reason = |text: &str| draft_of_json_line(text.as_bytes()).unwrap_err();
        assert!(reason("{").starts_with("is not JSON: "));
        assert!(reason("{\"title\":\"x\"}").starts_with("title: invalid type: string"));
        let unknown = r#"{"title":{"en":"x"},"category":"a","colour":"red"}"#;
        assert!(reason(unknown).contains("unknown field `colour`"));
    }

    #[test]
    fn exported_line_can_be_imported() {
        let content = r#""title":{"en":"x"},"category":"a","variants":[{"sku":"A","price":{"amount":1,"currency":"CNY"}}]"#;
        let exported =
            format!(r#"{{"id":"x","version":3,"created_at":"t","updated_at":"t",{content}}}"#);
        let imported = draft_of_json_line(exported.as_bytes());
        assert_eq!(imported, draft_of_json_line(format!("{{{content}}}").as_bytes()));
        assert!(imported.is_ok());
    }
}
