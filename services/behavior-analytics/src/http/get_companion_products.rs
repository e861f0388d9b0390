//! `GET /v1/recommendations/companions/{product_id}`

use axum::extract::State;
use problem::{Json, Path, Problem, Query};
use vocabulary::ProductId;

use super::recommendation_list::{ListParameters, RecommendationList};
use crate::app::recommender::Recommender;

/// Get products that are bought together with a product
///
/// The list is empty if the product was never bought together with another one.
#[utoipa::path(
    get, path = "/v1/recommendations/companions/{product_id}", tag = "recommendations",
    params(("product_id" = ProductId, Path), ListParameters),
    responses((status = 200, body = RecommendationList))
)]
pub(super) async fn get_companion_products(
    State(recommender): State<Recommender>,
    Path(product): Path<ProductId>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<RecommendationList>, Problem> {
    let limit = parameters.limit()?;
    let companions = recommender.query(|model| model.companions(&[product.into()], limit));
    Ok(Json(RecommendationList::new(companions, parameters.lang)))
}
