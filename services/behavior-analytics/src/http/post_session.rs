//! `POST /v1/recommendations/session`

use axum::extract::State;
use problem::{Fields, Json, Problem};
use runtime::clock;
use serde::Deserialize;
use uuid::Uuid;
use vocabulary::ProductId;

use super::list::{Language, List, MAX_LIMIT};
use crate::{
    domain::{
        event::{SessionId, SessionKey, VisitorId},
        similar::Asking,
    },
    learning::Knowledge,
};

/// The most products of a visit that are looked at.
const MAX_PRODUCTS: usize = 100;

/// How many products a list has unless the request says otherwise.
const DEFAULT_LIMIT: u16 = 10;

/// A visit.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionRequest {
    /// The products that were looked at, the latest last: up to 100. If there are none, and visitor and session are named,
    /// those of the session's events are taken.
    #[serde(default)]
    product_ids: Vec<ProductId>,
    /// Which visit it is: nobody is shown what only they themselves looked at.
    session_id: Option<String>,
    /// Whose visit it is.
    visitor_id: Option<String>,
    /// How many products at most: 1 to 50, 10 unless said.
    limit: Option<u16>,
    /// The language of the reasons: `zh` unless said.
    #[serde(default)]
    #[schema(inline)]
    lang: Language,
}

/// What fits a visit; where its products are not known enough, what is in demand, first in their categories.
#[utoipa::path(
    post, path = "/v1/recommendations/session", tag = "recommendations", request_body = SessionRequest,
    responses((status = 200, body = List), (status = 422, body = Problem))
)]
pub(super) async fn post_session(
    State(knowledge): State<Knowledge>,
    Json(request): Json<SessionRequest>,
) -> Result<Json<List>, Problem> {
    let (own, limit) = check(&request)?;
    let mut products: Vec<Uuid> = request.product_ids.into_iter().map(Uuid::from).collect();
    let now = clock::now();
    let list = knowledge.ask(|model| {
        if let Some(own) = &own
            && products.is_empty()
        {
            products = model.session_products(own);
        }
        let asking = Asking { products: &products, own: own.as_ref(), revisits: false, now };
        model.for_session(asking, limit)
    });
    Ok(Json(List::of(list, request.lang)))
}

/// The session, if it is named whole, and the length of the list.
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
