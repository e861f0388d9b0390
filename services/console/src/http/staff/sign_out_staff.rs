//! `POST /v1/staff/sign-out`

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use problem::Problem;

use super::{cookie, state_of};
use crate::app::{Staff, sign_out};

/// Sign out
///
/// Ends the session of the cookie, and removes the cookie. The access token is valid until it expires.
#[utoipa::path(
    post, path = "/v1/staff/sign-out", tag = "staff",
    params(("Staff-Session" = String, Header, description = "Any value: pages of other origins cannot send it")),
    responses(
        (status = 204, description = "There is no session any more"),
        (status = 400, description = "`staff_session_required`: the header is missing", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn sign_out_staff(
    State(staff): State<Option<Staff>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let state = state_of(staff)?;
    if let Some(token) = cookie::renewal_of(&headers)? {
        sign_out(&state, token).await?;
    }
    Ok(([cookie::forget(&headers)], StatusCode::NO_CONTENT).into_response())
}
