//! `GET /v1/recommendations/for/{visitor_id}`

use axum::extract::State;
use problem::{Json, Path, Problem, Query};
use runtime::clock;

use super::{
    list::{List, Listing},
    visitor_in_path,
};
use crate::{
    domain::{
        model::Window,
        recommendation::{Reason, ReasonCode, Recommendation},
        trending::Trend,
    },
    learning::Knowledge,
};

/// A list for a visitor, known or not: from what they looked at and bought, filled up with what is in demand. What they know
/// already comes last, and only where the shop has nothing else to show.
#[utoipa::path(
    get, path = "/v1/recommendations/for/{visitor_id}", tag = "recommendations",
    params(("visitor_id" = String, Path, description = "As in the visitor's events"), Listing),
    responses((status = 200, body = List))
)]
pub(super) async fn get_for_visitor(
    State(knowledge): State<Knowledge>,
    Path(visitor): Path<String>,
    Query(listing): Query<Listing>,
) -> Result<Json<List>, Problem> {
    let visitor = visitor_in_path("visitor_id", &visitor)?;
    let (limit, now) = (listing.limit()?, clock::now());
    let list = knowledge.ask(|model| {
        let list = model.for_visitor(&visitor, now, limit);
        if list.len() >= limit {
            return list;
        }
        let trends = model.trending(Window::Day, None, now, limit);
        filled(list, &trends, limit)
    });
    Ok(Json(List::of(list, listing.lang)))
}

/// The list, filled up to `limit` with what is in demand whether the visitor knows it or not. The scores go on falling.
fn filled(mut list: Vec<Recommendation>, trends: &[Trend], limit: usize) -> Vec<Recommendation> {
    let is_new = |trend: &&Trend| !list.iter().any(|known| known.product == trend.product);
    let rest: Vec<&Trend> = trends.iter().filter(is_new).take(limit - list.len()).collect();
    let ceiling = list.last().map_or(1.0, |last| last.score);
    let most = rest.first().map_or(1.0, |first| first.count).max(f64::MIN_POSITIVE);
    list.extend(rest.into_iter().map(|trend| Recommendation {
        product: trend.product,
        score: ceiling * (trend.count / most),
        reason: Reason { code: ReasonCode::Trending, because: Vec::new() },
    }));
    list
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::filled;
    use crate::domain::trending::Trend;

    #[test]
    fn a_list_is_filled_up_with_each_product_once_and_falling_scores() {
        let trend = |number: u128, count: f64| Trend { product: Uuid::from_u128(number), count };
        let list = filled(Vec::new(), &[trend(1, 8.0), trend(2, 4.0)], 2);
        let list = filled(list, &[trend(2, 3.0), trend(3, 2.0), trend(4, 1.0), trend(5, 0.5)], 4);
        let numbers: Vec<u128> = list.iter().map(|one| one.product.as_u128()).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert!(list.is_sorted_by(|a, b| a.score >= b.score), "{list:?}");
    }
}
