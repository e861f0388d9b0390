//! The response body for a product, and the responses to writes.

use std::collections::BTreeMap;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use problem::{ETag, Json};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use vocabulary::{ChangeId, Localized, Money, ProductId, Sku, Version};

use super::{product_draft::attribute_value, product_status_view::ProductStatusView};
use crate::domain::{Offer, Product, Sale, Variant};

/// A product with its variants.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Product)]
pub(super) struct ProductView {
    id: ProductId,
    /// Counts the writes of the product; also the `ETag`.
    version: Version,
    title: Localized,
    description: Localized,
    brand: Option<String>,
    /// Levels separated by `/`.
    #[schema(example = "数码/电脑外设/机械键盘")]
    category: String,
    /// Values are text, numbers, booleans, or lists of text.
    #[schema(value_type = Object)]
    attributes: BTreeMap<String, Value>,
    /// URLs of images.
    images: Vec<String>,
    status: ProductStatusView,
    variants: Vec<VariantView>,
    created_at: DateTime<Utc>,
    /// When this version was written.
    updated_at: DateTime<Utc>,
}

/// One sellable form of a product.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Variant)]
struct VariantView {
    /// Unique in the whole catalogue.
    sku: Sku,
    /// The differences to the other variants, such as `颜色: 红`.
    options: BTreeMap<String, String>,
    /// The regular price of one piece.
    price: Money,
    /// A higher price, shown struck through beside the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    compare_at_price: Option<Money>,
    /// A lower price for a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    sale: Option<SaleView>,
    /// The price that buyers pay while the sale runs; absent otherwise. An import ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_price: Option<Money>,
    /// An EAN or UPC: 8 to 14 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    barcode: Option<String>,
}

/// A lower price for a time.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Sale)]
struct SaleView {
    price: Money,
    /// Absent: the sale runs at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<DateTime<Utc>>,
    /// The first moment after the sale; absent: no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<DateTime<Utc>>,
}

impl From<Product> for ProductView {
    fn from(product: Product) -> Self {
        let variants = product.content.variants.iter().cloned();
        let variants =
            variants.map(|variant| VariantView::new(product.offer(&variant), variant)).collect();
        let Product { id, version, content, created_at, updated_at } = product;
        let attributes = content.attributes.into_iter();
        Self {
            id,
            version,
            title: content.title,
            description: content.description,
            brand: content.brand,
            category: content.category,
            attributes: attributes.map(|(name, value)| (name, attribute_value(value))).collect(),
            images: content.images,
            status: content.status.into(),
            variants,
            created_at,
            updated_at,
        }
    }
}

impl VariantView {
    fn new(offer: Offer, variant: Variant) -> Self {
        let Variant { sku, options, price, compare_at_price, sale, barcode } = variant;
        let current_price = (offer.price != price).then_some(offer.price);
        let sale =
            sale.map(|Sale { price, starts_at, ends_at }| SaleView { price, starts_at, ends_at });
        Self { sku, options, price, compare_at_price, sale, current_price, barcode }
    }
}

/// The headers of the response to a creation, as text.
pub(super) fn creation_headers(product: &Product, change: ChangeId) -> [(&'static str, String); 3] {
    [
        ("etag", format!("\"{}\"", product.version)),
        ("change-id", change.to_string()),
        ("location", format!("/v1/products/{}", product.id)),
    ]
}

/// The response to a write of an existing product: 200 with the product.
pub(super) struct WrittenProduct {
    pub(super) product: Product,
    pub(super) change: ChangeId,
}

impl IntoResponse for WrittenProduct {
    fn into_response(self) -> Response {
        let version = self.product.version.get();
        let body = Json(ProductView::from(self.product));
        let mut response = (StatusCode::OK, ETag(version), body).into_response();
        response.headers_mut().extend(change_header(self.change));
        response
    }
}

/// The header `Change-Id`.
pub(super) fn change_header(change: ChangeId) -> Option<(HeaderName, HeaderValue)> {
    // A UUID is always a valid header value.
    HeaderValue::try_from(change.to_string())
        .ok()
        .map(|value| (HeaderName::from_static("change-id"), value))
}
