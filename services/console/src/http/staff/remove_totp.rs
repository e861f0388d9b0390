//! `DELETE /v1/staff/me/totp`

use axum::http::{Extensions, StatusCode};
use problem::{Json, Problem};

use super::{
    confirm_totp::{TotpCode, wrong_code},
    member::Member,
};
use crate::app::remove_totp as remove;

/// Remove the second factor
///
/// Needs a code of it. An owner can remove it for an account whose device is lost.
#[utoipa::path(
    delete, path = "/v1/staff/me/totp", tag = "staff", request_body = TotpCode, security(("bearer" = [])),
    responses(
        (status = 204, description = "A sign-in needs no code any more"),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "`wrong_code`, `no_account`", body = Problem),
        (status = 429, description = "`too_many_sign_ins`; see `Retry-After`", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn remove_totp(
    member: Member,
    extensions: Extensions,
    Json(TotpCode { code }): Json<TotpCode>,
) -> Result<StatusCode, Problem> {
    member.admit_guess(&extensions)?;
    let Member { account, state } = member;
    if remove(&state, &account, &code).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(wrong_code())
    }
}
