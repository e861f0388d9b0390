//! The column `product.document`: the content of a product in one canonical JSON form.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use vocabulary::{Localized, Money, Sku};

use super::undecodable;
use crate::domain::{Attribute, Content, Number, ProductStatus, Sale, Variant};

/// Encodes `content`. Equal documents mean equal content.
pub(crate) fn encode(content: &Content) -> String {
    // Strings as keys and finite numbers always have a JSON form.
    serde_json::to_string(&ContentRow::from(content.clone())).unwrap_or_default()
}

/// Decodes a stored document.
pub(crate) fn decode(document: &str) -> Result<Content, sqlx::Error> {
    let row: ContentRow = serde_json::from_str(document).map_err(undecodable)?;
    Ok(row.into())
}

/// The order of the fields is part of the canonical form.
#[derive(Serialize, Deserialize)]
struct ContentRow {
    title: Localized,
    description: Localized,
    brand: Option<String>,
    category: String,
    attributes: BTreeMap<String, AttributeRow>,
    images: Vec<String>,
    status: StatusRow,
    variants: Vec<VariantRow>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum AttributeRow {
    Flag(bool),
    Unsigned(u64),
    Signed(i64),
    Decimal(f64),
    Text(String),
    Texts(Vec<String>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StatusRow {
    Draft,
    Active,
    Archived,
}

#[derive(Serialize, Deserialize)]
struct VariantRow {
    sku: Sku,
    #[serde(default)]
    options: BTreeMap<String, String>,
    price: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    barcode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compare_at_price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sale: Option<SaleRow>,
}

#[derive(Serialize, Deserialize)]
struct SaleRow {
    price: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starts_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends_at: Option<DateTime<Utc>>,
}

impl From<Content> for ContentRow {
    fn from(content: Content) -> Self {
        Self {
            title: content.title,
            description: content.description,
            brand: content.brand,
            category: content.category,
            attributes: content
                .attributes
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect(),
            images: content.images,
            status: content.status.into(),
            variants: content.variants.into_iter().map(VariantRow::from).collect(),
        }
    }
}

impl From<ContentRow> for Content {
    fn from(row: ContentRow) -> Self {
        Self {
            title: row.title,
            description: row.description,
            brand: row.brand,
            category: row.category,
            attributes: row
                .attributes
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect(),
            images: row.images,
            status: row.status.into(),
            variants: row.variants.into_iter().map(Variant::from).collect(),
        }
    }
}

impl From<Attribute> for AttributeRow {
    fn from(attribute: Attribute) -> Self {
        match attribute {
            Attribute::Flag(flag) => Self::Flag(flag),
            Attribute::Number(Number::Unsigned(number)) => Self::Unsigned(number),
            Attribute::Number(Number::Signed(number)) => Self::Signed(number),
            Attribute::Number(Number::Decimal(number)) => Self::Decimal(number),
            Attribute::Text(text) => Self::Text(text),
            Attribute::Texts(texts) => Self::Texts(texts),
        }
    }
}

impl From<AttributeRow> for Attribute {
    fn from(row: AttributeRow) -> Self {
        match row {
            AttributeRow::Flag(flag) => Self::Flag(flag),
            AttributeRow::Unsigned(number) => Self::Number(Number::Unsigned(number)),
            AttributeRow::Signed(number) => Self::Number(Number::Signed(number)),
            AttributeRow::Decimal(number) => Self::Number(Number::Decimal(number)),
            AttributeRow::Text(text) => Self::Text(text),
            AttributeRow::Texts(texts) => Self::Texts(texts),
        }
    }
}

impl From<ProductStatus> for StatusRow {
    fn from(status: ProductStatus) -> Self {
        match status {
            ProductStatus::Draft => Self::Draft,
            ProductStatus::Active => Self::Active,
            ProductStatus::Archived => Self::Archived,
        }
    }
}

impl From<StatusRow> for ProductStatus {
    fn from(row: StatusRow) -> Self {
        match row {
            StatusRow::Draft => Self::Draft,
            StatusRow::Active => Self::Active,
            StatusRow::Archived => Self::Archived,
        }
    }
}

impl From<Variant> for VariantRow {
    fn from(variant: Variant) -> Self {
        let Variant { sku, options, price, compare_at_price, sale, barcode } = variant;
        let sale =
            sale.map(|Sale { price, starts_at, ends_at }| SaleRow { price, starts_at, ends_at });
        Self { sku, options, price, barcode, compare_at_price, sale }
    }
}

impl From<VariantRow> for Variant {
    fn from(row: VariantRow) -> Self {
        let VariantRow { sku, options, price, barcode, compare_at_price, sale } = row;
        let sale =
            sale.map(|SaleRow { price, starts_at, ends_at }| Sale { price, starts_at, ends_at });
        Self { sku, options, price, compare_at_price, sale, barcode }
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::domain::{Attribute, Number};

    const DOCUMENT: &str = concat!(
        r#"{"title":{"en":"Keyboard"},"description":{},"brand":null,"category":"a/b","#,
        r#""attributes":{"flag":true,"list":["a"],"negative":-3,"none":[],"real":6.0,"text":"x","whole":6},"#,
        r#""images":["http://x"],"status":"active","#,
        r#""variants":[{"sku":"A","options":{"size":"S"},"price":{"amount":1,"currency":"CNY"}},"#,
        r#"{"sku":"B","options":{},"price":{"amount":2,"currency":"CNY"},"barcode":"12345678"},"#,
        r#"{"sku":"C","options":{},"price":{"amount":3,"currency":"CNY"},"#,
        r#""compare_at_price":{"amount":4,"currency":"CNY"},"sale":{"price":{"amount":2,"currency":"CNY"},"#,
        r#""starts_at":"2026-12-01T00:00:00Z","ends_at":"2026-12-24T00:00:00.000001Z"}}]}"#,
    );

    #[test]
    fn canonical_form_of_a_document_never_changes() {
        assert_eq!(encode(&decode(DOCUMENT).unwrap()), DOCUMENT);
    }

    #[test]
    fn types_of_attributes_are_kept() {
        let attributes = decode(DOCUMENT).unwrap().attributes;
        assert_eq!(attributes["flag"], Attribute::Flag(true));
        assert_eq!(attributes["whole"], Attribute::Number(Number::Unsigned(6)));
        assert_eq!(attributes["negative"], Attribute::Number(Number::Signed(-3)));
        assert_eq!(attributes["real"], Attribute::Number(Number::Decimal(6.0)));
        assert_eq!(attributes["none"], Attribute::Texts(Vec::new()));
    }
}
