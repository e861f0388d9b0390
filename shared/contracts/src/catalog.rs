//! Events of `product-catalog`.
//!
//! Two aggregates: products are keyed by product ([`PRODUCT`]), counts of stock by SKU ([`STOCK_COUNT`]). So a consumer of
//! products does not receive every count.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use envelope::{FullState, event};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{ChangeId, ImportId, Localized, Money, ProductId, RuleId, Sku, Version};

/// The aggregate of products; the key is the product.
pub const PRODUCT: &str = "product";

/// The aggregate of counts of stock; the key is the SKU.
pub const STOCK_COUNT: &str = "stock_count";

/// The aggregate of what the shop edits about its search. The key is `synonyms`, or the id of a rule.
pub const SEARCH: &str = "search";

/// A product was created or changed. Full state: a consumer needs no other event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProductChangedV1 {
    pub product_id: ProductId,
    /// The version after the change.
    pub version: Version,
    /// The write that caused the event.
    pub change_id: ChangeId,
    pub title: Localized,
    #[serde(default)]
    pub description: Localized,
    pub brand: Option<String>,
    /// The path of its category, such as `数码/电脑外设/机械键盘`.
    pub category: String,
    /// Values are texts, numbers, booleans or lists of texts.
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// URLs.
    #[serde(default)]
    pub images: Vec<String>,
    pub status: ProductStatus,
    pub variants: Vec<Variant>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

event!(ProductChangedV1, "product.changed.v1", PRODUCT, event => event.product_id.to_string());

impl FullState for ProductChangedV1 {}

/// Whether a product is for sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductStatus {
    /// Not for sale yet.
    Draft,
    /// For sale.
    Active,
    /// No longer for sale.
    Archived,
}

/// A variant of a product that can be bought, such as a size or a colour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Variant {
    pub sku: Sku,
    /// What distinguishes the variant, such as `颜色: 红`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// The price of one piece that buyers pay now: the sale price while a sale runs.
    pub price: Money,
    /// EAN or UPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barcode: Option<String>,
    /// A higher price to show struck through: that of the variant, or the regular price while a sale runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare_at_price: Option<Money>,
}

/// A product was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductDeletedV1 {
    pub product_id: ProductId,
    /// One more than the last version, so that a late `product.changed` is recognised as older.
    pub version: Version,
    /// The write that caused the event.
    pub change_id: ChangeId,
    pub deleted_at: DateTime<Utc>,
}

event!(ProductDeletedV1, "product.deleted.v1", PRODUCT, event => event.product_id.to_string());

impl FullState for ProductDeletedV1 {}

/// An imported file states how many pieces of a SKU there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockCountedV1 {
    pub sku: Sku,
    /// Pieces on hand, those reserved for orders included. Zero or more.
    pub quantity: i64,
    /// The import of the file.
    pub import_id: ImportId,
    pub counted_at: DateTime<Utc>,
}

event!(StockCountedV1, "stock.counted.v1", STOCK_COUNT, event => event.sku.as_str());

/// The list of synonyms was changed. Full state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SynonymsChangedV1 {
    /// The version after the change.
    pub version: Version,
    /// The whole list.
    pub synonyms: Vec<Synonym>,
    pub changed_at: DateTime<Utc>,
}

event!(SynonymsChangedV1, "search.synonyms_changed.v1", SEARCH, _event => "synonyms");

impl FullState for SynonymsChangedV1 {}

/// Words with the same meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Synonym {
    /// A query with one of the words also finds the others.
    TwoWay(Vec<String>),
    /// A query with a word of `from` also finds those of `to`, but not the other way round.
    OneWay { from: Vec<String>, to: Vec<String> },
}

/// A merchandising rule was created or changed. Full state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleChangedV1 {
    pub rule_id: RuleId,
    /// The version after the change.
    pub version: Version,
    pub action: RuleAction,
    /// The searches that it changes.
    pub scope: RuleScope,
    pub products: RuleProducts,
    /// When the rule begins to apply; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// When the rule ceases to apply; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    pub changed_at: DateTime<Utc>,
}

event!(RuleChangedV1, "search.rule_changed.v1", SEARCH, event => event.rule_id.to_string());

impl FullState for RuleChangedV1 {}

/// What a rule does with its products.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// Puts the products at this position and the following ones; the first is 1.
    Pin { position: u32 },
    /// Multiplies the score by a factor above 1.
    Boost { factor: f64 },
    /// Multiplies the score by a factor between 0 and 1.
    Bury { factor: f64 },
    /// Removes the products from the results.
    Hide,
}

/// The searches that a rule changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleScope {
    /// Those for this text; case, width, spaces and punctuation do not matter.
    Query(String),
    /// Those within this category.
    Category(String),
    /// All.
    Everywhere,
}

/// The products of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleProducts {
    /// In the order in which they are pinned.
    Ids(Vec<ProductId>),
    /// All of this brand.
    Brand(String),
    /// All of this category and those below it.
    Category(String),
}

/// A merchandising rule was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleRemovedV1 {
    pub rule_id: RuleId,
    /// One more than the last version, so that a late change is recognised as older.
    pub version: Version,
    pub removed_at: DateTime<Utc>,
}

event!(RuleRemovedV1, "search.rule_removed.v1", SEARCH, event => event.rule_id.to_string());

impl FullState for RuleRemovedV1 {}
