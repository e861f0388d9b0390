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
use crate::domain::{Product, Variant};

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
    /// The price of one piece.
    price: Money,
    /// An EAN or UPC: 8 to 14 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    barcode: Option<String>,
}

impl From<Product> for ProductView {
    fn from(product: Product) -> Self {
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
            variants: content.variants.into_iter().map(VariantView::from).collect(),
            created_at,
            updated_at,
        }
    }
}

impl From<Variant> for VariantView {
    fn from(variant: Variant) -> Self {
        let Variant { sku, options, price, barcode } = variant;
        Self { sku, options, price, barcode }
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
