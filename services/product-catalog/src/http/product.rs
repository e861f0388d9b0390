//! A product as it is answered, and the answer to a write.

use std::collections::BTreeMap;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use problem::{ETag, Json};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{ChangeId, Localized, ProductId, Version};

use crate::domain::{self, Attribute, Status, Variant};

/// A product with its variants.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Product)]
pub(super) struct Product {
    /// Which product.
    id: ProductId,
    /// Counts its writes; the `ETag`.
    version: Version,
    /// Its name.
    title: Localized,
    /// What is said about it.
    description: Localized,
    /// Who makes it.
    brand: Option<String>,
    /// Where it stands in the shop.
    #[schema(example = "数码/电脑外设/机械键盘")]
    category: String,
    /// Facts about it: text, numbers, booleans, or lists of text.
    #[schema(value_type = Object)]
    attributes: BTreeMap<String, Attribute>,
    /// Addresses of pictures.
    images: Vec<String>,
    /// Whether it is for sale.
    status: Status,
    /// What of it can be bought.
    variants: Vec<Variant>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When this version was made.
    updated_at: DateTime<Utc>,
}

impl From<domain::Product> for Product {
    fn from(product: domain::Product) -> Self {
        let domain::Product { id, version, content, created_at, updated_at } = product;
        let domain::Content {
            title,
            description,
            brand,
            category,
            attributes,
            images,
            status,
            variants,
        } = content;
        Self {
            id,
            version,
            title,
            description,
            brand,
            category,
            attributes,
            images,
            status,
            variants,
            created_at,
            updated_at,
        }
    }
}

/// The headers of the answer to a `POST`, as text.
pub(super) fn headers_of(
    product: &domain::Product,
    change: ChangeId,
) -> [(&'static str, String); 3] {
    [
        ("etag", format!("\"{}\"", product.version)),
        ("change-id", change.to_string()),
        ("location", format!("/v1/products/{}", product.id)),
    ]
}

/// The answer to a write of what was there before: 200 with the product.
pub(super) struct Written {
    pub(super) product: domain::Product,
    pub(super) change: ChangeId,
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        let version = self.product.version.get();
        let body = Json(Product::from(self.product));
        let mut response = (StatusCode::OK, ETag(version), body).into_response();
        response.headers_mut().extend(change_header(self.change));
        response
    }
}

/// `Change-Id`, for the headers of an answer.
pub(super) fn change_header(change: ChangeId) -> Option<(HeaderName, HeaderValue)> {
    // A UUID is always a header value.
    HeaderValue::try_from(change.to_string())
        .ok()
        .map(|value| (HeaderName::from_static("change-id"), value))
}
