//! `GET /v1/recommendations/similar/{product_id}`

use axum::extract::State;
use problem::{Json, Path, Problem, Query};
use runtime::clock;
use vocabulary::ProductId;

use super::list::{List, Listing};
use crate::learning::Knowledge;

/// Products like this one: those that others looked at too, then what is in demand in its category.
#[utoipa::path(
    get, path = "/v1/recommendations/similar/{product_id}", tag = "recommendations",
    params(("product_id" = ProductId, Path), Listing),
    responses((status = 200, body = List))
)]
pub(super) async fn get_similar(
    State(knowledge): State<Knowledge>,
    Path(product): Path<ProductId>,
    Query(listing): Query<Listing>,
) -> Result<Json<List>, Problem> {
    let limit = listing.limit()?;
    let similar = knowledge.ask(|model| model.similar(product.into(), clock::now(), limit));
    Ok(Json(List::of(similar, listing.lang)))
}
