//! `POST /v1/visitors`

use std::time::Duration;

use axum::{
    extract::State,
    http::{
        Extensions, StatusCode,
        header::{CACHE_CONTROL, HeaderName},
    },
};
use problem::{Json, Problem};
use runtime::{auth::Caller, clients::Client};
use serde::Serialize;
use uuid::Uuid;

use super::parameters::visitor_of_subject;
use crate::{
    app::{sender::Senders, visitor_limiter::VisitorLimiter},
    domain::identity::VisitorId,
};

/// `Retry-After` if the service has no key.
const RETRY_AFTER: Duration = Duration::from_mins(1);

/// The id of a visitor, which the service has signed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct SignedVisitor {
    /// To be sent with each event.
    visitor_id: String,
    /// The signature of the id, to be sent as `visitor_signature`.
    visitor_signature: String,
}

/// Get a signed visitor id
///
/// With the token of a customer, the id is that of the customer. Without a token it is new. Events of visitors without a
/// signature count less.
#[utoipa::path(
    post, path = "/v1/visitors", tag = "events",
    responses(
        (status = 200, body = SignedVisitor),
        (status = 401, body = Problem, description = "The token is not valid"),
        (status = 429, body = Problem, description = "`too_many_visitors`: too many new visitors from one address"),
        (status = 503, body = Problem, description = "`signing_off`: the service has no key; send events without a signature"),
    )
)]
pub(super) async fn create_visitor(
    caller: Option<Caller>,
    extensions: Extensions,
    State(senders): State<Senders>,
    State(limiter): State<VisitorLimiter>,
) -> Result<([(HeaderName, &'static str); 1], Json<SignedVisitor>), Problem> {
    let visitor = if let Some(caller) = caller {
        visitor_of_subject(caller.subject())?
    } else {
        limiter.check(&Client::of(&extensions)).map_err(too_many_visitors)?;
        VisitorId::new(Uuid::now_v7())
    };
    let signature = senders.keys.sign(&visitor).ok_or_else(|| {
        Problem::unavailable("signing_off", RETRY_AFTER)
            .detail("The service was started without VISITOR_KEY_FILE. Events without a signature count less.")
    })?;
    let visitor_id = visitor.as_str().to_owned();
    let signed = SignedVisitor { visitor_id, visitor_signature: signature };
    Ok(([(CACHE_CONTROL, "no-store")], Json(signed)))
}

fn too_many_visitors(wait: Duration) -> Problem {
    let title = "Too many visitors were requested";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_visitors", title).retry_after(wait)
}
