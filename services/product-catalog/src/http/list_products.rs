//! `GET /v1/products`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Problem, Query};
use runtime::{auth::Scope, http::ReadAccess};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    invalid_query,
    paging::{cut_page, decode_cursor, encode_cursor, page_limit},
    product_status_view::ProductStatusView,
    product_view::ProductView,
};
use crate::{
    domain::{ProductFilter, ProductStatus},
    storage::products,
};

const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 200;

/// The filter and the page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProductQuery {
    /// This category and all below it, such as `数码/电脑外设`.
    category: Option<String>,
    /// The exact brand.
    brand: Option<String>,
    /// Default: all that the caller may read.
    status: Option<ProductStatusView>,
    /// The product with this SKU.
    sku: Option<String>,
    /// Updated at this time or later, RFC 3339.
    #[serde(default, deserialize_with = "problem::timestamp::optional")]
    updated_since: Option<DateTime<Utc>>,
    /// The maximum number of products: 1 to 200. Default: 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// The `next_cursor` of the previous page. Default: the first page.
    cursor: Option<String>,
}

/// A page of products, in the order of their creation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProductPage {
    items: Vec<ProductView>,
    /// The `cursor` of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// List products
///
/// They come in the order of creation, page by page. Without the scope `catalog:write` only active ones are listed;
/// `INTERNAL_ADDR` needs no token.
#[utoipa::path(
    get, path = "/v1/products", tag = "products", params(ProductQuery),
    responses((status = 200, body = ProductPage)), security((), ("bearer" = ["catalog:write"]))
)]
pub(super) async fn list_products(
    access: ReadAccess,
    State(outbox): State<Outbox>,
    Query(query): Query<ProductQuery>,
) -> Result<Json<ProductPage>, Problem> {
    let limit = page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let mut filter = filter(query)?;
    if filter.status.unwrap_or(ProductStatus::Active) != ProductStatus::Active {
        access.require(Scope::CatalogWrite)?;
    } else if !access.has(Scope::CatalogWrite) {
        filter.status = Some(ProductStatus::Active);
    }
    let mut connection = outbox.pool().acquire().await?;
    let mut found = products::list(&mut connection, &filter, i64::from(limit) + 1).await?;
    let has_more = cut_page(&mut found, limit);
    let next_cursor =
        found.last().filter(|_| has_more).map(|last| encode_cursor(last.id.as_uuid()));
    let items = found.into_iter().map(ProductView::from).collect();
    Ok(Json(ProductPage { items, next_cursor }))
}

fn filter(query: ProductQuery) -> Result<ProductFilter, Problem> {
    let after = decode_cursor(query.cursor.as_deref())?;
    let filter = ProductFilter {
        category: query.category.map(|path| path.trim_end_matches('/').to_owned()),
        brand: query.brand,
        status: query.status.map(Into::into),
        sku: query.sku,
        updated_since: query.updated_since,
        after,
    };
    for (name, text) in
        [("category", &filter.category), ("brand", &filter.brand), ("sku", &filter.sku)]
    {
        // PostgreSQL refuses NUL in a text.
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            return Err(invalid_query(name, "must not contain control characters"));
        }
    }
    Ok(filter)
}
