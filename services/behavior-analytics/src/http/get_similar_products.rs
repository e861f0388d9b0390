//! `GET /v1/recommendations/similar/{product_id}`

use axum::extract::State;
use problem::{Json, Path, Problem, Query};
use runtime::clock;
use vocabulary::ProductId;

use super::recommendation_list::{ListParameters, RecommendationList};
use crate::app::recommender::Recommender;

/// Get products similar to a product
///
/// Products that other visitors viewed in the same sessions come first, then products in demand in the same
/// category.
#[utoipa::path(
    get, path = "/v1/recommendations/similar/{product_id}", tag = "recommendations",
    params(("product_id" = ProductId, Path), ListParameters),
    responses((status = 200, body = RecommendationList))
)]
pub(super) async fn get_similar_products(
    State(recommender): State<Recommender>,
    Path(product): Path<ProductId>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<RecommendationList>, Problem> {
    let limit = parameters.limit()?;
    let similar = recommender.query(|model| model.similar(product.into(), clock::now(), limit));
    Ok(Json(RecommendationList::new(similar, parameters.lang)))
}
