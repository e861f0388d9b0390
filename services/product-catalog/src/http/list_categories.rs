//! `GET /v1/categories`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{CategoryNode, category_tree},
    storage::products,
};

/// The maximum number of categories that are counted.
const MAX_CATEGORIES: i64 = 20_000;

/// The category tree.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Categories {
    /// The categories of the first level, sorted by name.
    items: Vec<CategoryView>,
}

/// A category with its subcategories.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CategoryNode)]
struct CategoryView {
    /// The last level of the path.
    name: String,
    /// The whole path, as in the filter `category` of `GET /v1/products`.
    path: String,
    /// The number of active products in the category and below it.
    count: i64,
    /// The subcategories, sorted by name.
    #[schema(no_recursion)]
    children: Vec<CategoryView>,
}

impl From<CategoryNode> for CategoryView {
    fn from(node: CategoryNode) -> Self {
        let CategoryNode { name, path, count, children } = node;
        Self { name, path, count, children: children.into_iter().map(Self::from).collect() }
    }
}

/// List the categories
///
/// The response is a tree with the number of active products in each category and below it.
#[utoipa::path(
    get, path = "/v1/categories", tag = "products", responses((status = 200, body = Categories))
)]
pub(super) async fn list_categories(
    State(outbox): State<Outbox>,
) -> Result<Json<Categories>, Problem> {
    let mut connection = outbox.pool().acquire().await?;
    let counts = products::count_by_category(&mut connection, MAX_CATEGORIES).await?;
    let items = category_tree(counts).into_iter().map(CategoryView::from).collect();
    Ok(Json(Categories { items }))
}
