use axum::extract::State;
use messaging::Kit;
use problem::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{CategoryNode, tree};
use crate::storage::products;

/// How many categories that have products are counted at most.
const MAX_CATEGORIES: i64 = 20_000;

/// The categories of the shop.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Categories {
    /// The first level, by name.
    items: Vec<CategoryNode>,
}

/// The tree of categories, with the number of active products in each and below it.
#[utoipa::path(
    get, path = "/v1/categories", tag = "products", responses((status = 200, body = Categories))
)]
pub(super) async fn list_categories(State(kit): State<Kit>) -> Result<Json<Categories>, Problem> {
    let mut connection = kit.pool().acquire().await?;
    let counts = products::count_by_category(&mut connection, MAX_CATEGORIES).await?;
    Ok(Json(Categories { items: tree(counts) }))
}
