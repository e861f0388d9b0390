use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use messaging::Kit;
use problem::{Json, Problem, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vocabulary::ProductId;

use super::invalid_query;
use super::product::Product;
use crate::domain::Status;
use crate::storage::products::{self, Filter};

const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 200;

/// Which products to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Selection {
    /// This category and all below it, such as `数码/电脑外设`.
    category: Option<String>,
    /// Exactly this brand.
    brand: Option<String>,
    /// `draft`, `active` or `archived`.
    status: Option<Status>,
    /// The product that has this SKU.
    sku: Option<String>,
    /// Written at this time or later, RFC 3339.
    updated_since: Option<DateTime<Utc>>,
    /// How many at most: 1 to 200, 50 unless said.
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of products, in the order in which they were made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProductPage {
    /// The products.
    items: Vec<Product>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

/// Products, page by page.
#[utoipa::path(
    get, path = "/v1/products", tag = "products", params(Selection),
    responses((status = 200, body = ProductPage))
)]
pub(super) async fn list_products(
    State(kit): State<Kit>,
    Query(selection): Query<Selection>,
) -> Result<Json<ProductPage>, Problem> {
    let limit = selection.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(invalid_query("limit", format!("must be 1 to {MAX_LIMIT}")));
    }
    let after = selection.cursor.as_deref().map(|cursor| {
        read_cursor(cursor).ok_or_else(|| invalid_query("cursor", "is none that was given"))
    });
    let filter = Filter {
        category: selection.category.map(|path| path.trim_end_matches('/').to_owned()),
        brand: selection.brand,
        status: selection.status.map(Status::as_str),
        sku: selection.sku,
        updated_since: selection.updated_since,
        after: after.transpose()?,
    };
    for (name, text) in
        [("category", &filter.category), ("brand", &filter.brand), ("sku", &filter.sku)]
    {
        // The database has no text with a NUL in it.
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            return Err(invalid_query(name, "must not hold control characters"));
        }
    }
    let mut connection = kit.pool().acquire().await?;
    // One more than asked for tells whether there is another page.
    let mut found = products::list(&mut connection, &filter, i64::from(limit) + 1).await?;
    let more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next_cursor = found.last().filter(|_| more).map(|last| write_cursor(last.id));
    Ok(Json(ProductPage { items: found.into_iter().map(Product::from).collect(), next_cursor }))
}

fn write_cursor(last: ProductId) -> String {
    URL_SAFE_NO_PAD.encode(last.as_uuid())
}

fn read_cursor(cursor: &str) -> Option<ProductId> {
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok().map(ProductId::from)
}
