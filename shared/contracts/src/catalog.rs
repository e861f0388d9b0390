//! Said by `product-catalog`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use envelope::{FullState, event};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{ChangeId, Localized, Money, ProductId, Sku, Version};

/// The aggregate of products.
pub const PRODUCT: &str = "product";

/// A product was made or changed: its full state, so that whoever hears it needs nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProductChangedV1 {
    /// Which product.
    pub product_id: ProductId,
    /// Its version after the change.
    pub version: Version,
    /// The write that did it.
    pub change_id: ChangeId,
    /// Its name.
    pub title: Localized,
    /// What is said about it.
    #[serde(default)]
    pub description: Localized,
    /// Who makes it.
    pub brand: Option<String>,
    /// Where it stands in the shop, such as `数码/电脑外设/机械键盘`.
    pub category: String,
    /// Facts about it: text, numbers, booleans, or lists of text.
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// Addresses of pictures.
    #[serde(default)]
    pub images: Vec<String>,
    /// Whether it is for sale.
    pub status: ProductStatus,
    /// What of it can be bought.
    pub variants: Vec<Variant>,
    /// When it was first made.
    pub created_at: DateTime<Utc>,
    /// When this version was made.
    pub updated_at: DateTime<Utc>,
}

event!(ProductChangedV1, "product.changed.v1", PRODUCT, event => event.product_id.to_string());

impl FullState for ProductChangedV1 {}

/// Whether a product is for sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductStatus {
    /// Not yet.
    Draft,
    /// Yes.
    Active,
    /// No longer.
    Archived,
}

/// One thing that can be bought: a size, a colour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Variant {
    /// Its name in orders and in stock.
    pub sku: Sku,
    /// What sets it apart, such as `颜色: 红`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// What one piece costs.
    pub price: Money,
    /// Its EAN or UPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barcode: Option<String>,
}

/// A product was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductDeletedV1 {
    /// Which product.
    pub product_id: ProductId,
    /// The version after its last: a late change can be told from it.
    pub version: Version,
    /// The write that did it.
    pub change_id: ChangeId,
    /// When.
    pub deleted_at: DateTime<Utc>,
}

event!(ProductDeletedV1, "product.deleted.v1", PRODUCT, event => event.product_id.to_string());

impl FullState for ProductDeletedV1 {}
