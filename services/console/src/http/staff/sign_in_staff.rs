//! `POST /v1/staff/sign-in`

use axum::{
    extract::State,
    http::{Extensions, HeaderMap},
    response::Response,
};
use problem::{Fields, Json, Problem};
use runtime::clients::Client;
use serde::Deserialize;

use super::{
    session_view::{StaffSession, respond},
    state_of, too_many_sign_ins,
};
use crate::app::{Credentials, SignInError, Staff, sign_in};

/// The longest password that is looked at, in bytes.
const MAX_PASSWORD: usize = 256;

/// What a member of staff knows and has.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInRequest {
    email: String,
    password: String,
    /// The code of the authenticator app, if the account has a second factor.
    code: Option<String>,
}

/// Sign in as a member of staff
///
/// Returns an access token for ten minutes, and sets a cookie with which the next one is fetched. Sign-ins are limited per
/// account and per address.
#[utoipa::path(
    post, path = "/v1/staff/sign-in", tag = "staff", request_body = SignInRequest,
    responses(
        (status = 200, description = "The session", body = StaffSession,
            headers(("Set-Cookie" = String, description = "The renewal token"))),
        (status = 401, description = "`sign_in_failed`, or `code_required` if the account has a second factor", body = Problem),
        (status = 422, description = "`validation_failed`, `invalid_body`", body = Problem),
        (status = 429, description = "`too_many_sign_ins`; see `Retry-After`", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn sign_in_staff(
    State(staff): State<Option<Staff>>,
    extensions: Extensions,
    headers: HeaderMap,
    Json(request): Json<SignInRequest>,
) -> Result<Response, Problem> {
    let state = state_of(staff)?;
    let SignInRequest { email, password, code } = request;
    let mut fields = Fields::new();
    let email = fields.check("email", email.parse());
    if password.len() > MAX_PASSWORD {
        fields.refuse("password", "too_long", format!("must have at most {MAX_PASSWORD} bytes"));
    }
    let credentials = fields.finish_with(|| Some(Credentials { email: email?, password, code }))?;
    let address = Client::of(&extensions).counted_address();
    let tokens = sign_in(&state, credentials, address).await.map_err(failed)?;
    Ok(respond(&headers, tokens))
}

fn failed(error: SignInError) -> Problem {
    let unauthorized =
        |code, title| Problem::new(axum::http::StatusCode::UNAUTHORIZED, code, title);
    match error {
        SignInError::Throttled(wait) => too_many_sign_ins(wait),
        SignInError::Wrong => unauthorized("sign_in_failed", "The sign-in failed")
            .detail("The account, the password or the code is wrong."),
        SignInError::CodeRequired => unauthorized("code_required", "A code is required")
            .detail("Send the code of the authenticator app as `code`."),
        SignInError::Database(error) => error.into(),
        SignInError::Password(error) => Problem::internal_from(&error),
        SignInError::Token(error) => Problem::internal_from(&error),
    }
}
