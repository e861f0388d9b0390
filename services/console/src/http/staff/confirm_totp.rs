//! `PUT /v1/staff/me/totp`

use axum::http::{Extensions, StatusCode};
use problem::{Json, Problem};
use serde::Deserialize;

use super::member::Member;
use crate::app::{ConfirmTotpError, confirm_totp as confirm};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TotpCode {
    /// The code that the authenticator app shows.
    pub(super) code: String,
}

/// Confirm the second factor
///
/// From now on a sign-in needs a code.
#[utoipa::path(
    put, path = "/v1/staff/me/totp", tag = "staff", request_body = TotpCode, security(("bearer" = [])),
    responses(
        (status = 204, description = "The second factor is required"),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "`wrong_code`, `no_account`", body = Problem),
        (status = 409, description = "`not_enrolled`: no secret waits for its first code", body = Problem),
        (status = 429, description = "`too_many_sign_ins`; see `Retry-After`", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn confirm_totp(
    member: Member,
    extensions: Extensions,
    Json(TotpCode { code }): Json<TotpCode>,
) -> Result<StatusCode, Problem> {
    member.admit_guess(&extensions)?;
    let Member { account, state } = member;
    match confirm(&state, &account, &code).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(ConfirmTotpError::NotEnrolled) => {
            Err(Problem::conflict("not_enrolled", "No secret waits for its first code"))
        }
        Err(ConfirmTotpError::Wrong) => Err(wrong_code()),
        Err(ConfirmTotpError::Database(error)) => Err(error.into()),
    }
}

/// 403: the code is wrong, or was used.
pub(super) fn wrong_code() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "wrong_code", "The code is wrong")
}
