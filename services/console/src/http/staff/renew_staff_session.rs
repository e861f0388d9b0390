//! `POST /v1/staff/session`

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use problem::Problem;

use super::{
    cookie,
    session_view::{StaffSession, respond},
    state_of,
};
use crate::app::{RenewError, Staff, renew};

/// Renew a session of staff
///
/// Needs the cookie of the sign-in and the header `Staff-Session: 1`. Each renewal token is used once: a second use ends the session.
#[utoipa::path(
    post, path = "/v1/staff/session", tag = "staff",
    params(("Staff-Session" = String, Header, description = "Any value: pages of other origins cannot send it")),
    responses(
        (status = 200, description = "The session", body = StaffSession,
            headers(("Set-Cookie" = String, description = "The next renewal token"))),
        (status = 400, description = "`staff_session_required`: the header is missing", body = Problem),
        (status = 401, description = "There is no session, or it has ended", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn renew_staff_session(
    State(staff): State<Option<Staff>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let state = state_of(staff)?;
    let no_session = || Problem::unauthorized("There is no session, or it has ended.");
    let token = cookie::renewal_of(&headers)?.ok_or_else(no_session)?;
    match renew(&state, token).await {
        Ok(tokens) => Ok(respond(&headers, tokens)),
        Err(RenewError::Invalid) => Ok(([cookie::forget(&headers)], no_session()).into_response()),
        Err(RenewError::Database(error)) => Err(error.into()),
        Err(RenewError::Token(error)) => Err(Problem::internal_from(&error)),
    }
}
