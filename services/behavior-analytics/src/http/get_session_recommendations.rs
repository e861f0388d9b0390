//! `POST /v1/recommendations/session`

use axum::extract::State;
use problem::{Fields, Json, Problem};
use runtime::clock;
use serde::Deserialize;
use uuid::Uuid;
use vocabulary::ProductId;

use super::recommendation_list::{DEFAULT_LIMIT, Language, MAX_LIMIT, RecommendationList};
use crate::{
    app::recommender::Recommender,
    domain::{
        identity::{SessionId, SessionKey, VisitorId},
        session_index::SessionQuery,
    },
};

/// The most products of a request.
const MAX_PRODUCTS: usize = 100;

/// The products of a session, or the ids under which its events were sent.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionRequest {
    /// The products of the session, up to 100, the latest last. If empty, the products of the session's
    /// events are used; this requires `visitor_id` and `session_id`.
    #[serde(default)]
    product_ids: Vec<ProductId>,
    /// With `visitor_id`, excludes the session itself from the sessions on which the list is based.
    session_id: Option<String>,
    visitor_id: Option<String>,
    /// The most products to return: 1 to 50, 10 by default.
    #[schema(minimum = 1, maximum = 50)]
    limit: Option<u16>,
    /// The language of the reasons, `zh` by default.
    #[serde(default)]
    #[schema(inline)]
    lang: Language,
}

/// Get recommendations for a session
///
/// Products of similar sessions come first, then products in demand in the same categories, then products in
/// demand anywhere.
#[utoipa::path(
    post, path = "/v1/recommendations/session", tag = "recommendations", request_body = SessionRequest,
    responses((status = 200, body = RecommendationList), (status = 422, body = Problem))
)]
pub(super) async fn get_session_recommendations(
    State(recommender): State<Recommender>,
    Json(request): Json<SessionRequest>,
) -> Result<Json<RecommendationList>, Problem> {
    let (own, limit) = check(&request)?;
    let mut products: Vec<Uuid> = request.product_ids.into_iter().map(Uuid::from).collect();
    let now = clock::now();
    let list = recommender.query(|model| {
        if let Some(own) = &own
            && products.is_empty()
        {
            products = model.session_products(own);
        }
        let query = SessionQuery { products: &products, own: own.as_ref(), revisits: false, now };
        model.for_session(query, limit)
    });
    Ok(Json(RecommendationList::new(list, request.lang)))
}

/// The session's key, if visitor and session are given, and the limit.
fn check(request: &SessionRequest) -> Result<(Option<SessionKey>, usize), Problem> {
    let mut fields = Fields::new();
    if request.product_ids.len() > MAX_PRODUCTS {
        fields.refuse("product_ids", "out_of_range", format!("must be at most {MAX_PRODUCTS}"));
    }
    let visitor = request.visitor_id.as_deref().map(VisitorId::parse);
    let visitor = visitor.and_then(|visitor| fields.check("visitor_id", visitor));
    let session = request.session_id.as_deref().map(SessionId::parse);
    let session = session.and_then(|session| fields.check("session_id", session));
    let limit = request.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        fields.refuse("limit", "out_of_range", format!("must be 1 to {MAX_LIMIT}"));
    }
    fields.finish()?;
    let own = visitor.zip(session).map(|(visitor, session)| SessionKey { visitor, session });
    Ok((own, limit.into()))
}
