//! `GET /v1/recommendations/companions/{product_id}`

use axum::extract::State;
use problem::{Json, Path, Problem, Query};
use vocabulary::ProductId;

use super::list::{List, Listing};
use crate::learning::Knowledge;

/// What is bought together with this product; empty where nothing is known of it.
#[utoipa::path(
    get, path = "/v1/recommendations/companions/{product_id}", tag = "recommendations",
    params(("product_id" = ProductId, Path), Listing),
    responses((status = 200, body = List))
)]
pub(super) async fn get_companions(
    State(knowledge): State<Knowledge>,
    Path(product): Path<ProductId>,
    Query(listing): Query<Listing>,
) -> Result<Json<List>, Problem> {
    let limit = listing.limit()?;
    let companions = knowledge.ask(|model| model.companions(&[product.into()], limit));
    Ok(Json(List::of(companions, listing.lang)))
}
