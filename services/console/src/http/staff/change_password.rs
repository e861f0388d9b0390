//! `PUT /v1/staff/me/password`

use axum::http::{Extensions, HeaderMap, StatusCode};
use problem::{Fields, Json, Problem};
use serde::Deserialize;

use super::{cookie, member::Member};
use crate::app::{ChangePasswordError, change_password as change};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordChange {
    current: String,
    /// At least 12 characters, at most 256 bytes.
    new: String,
}

/// Change the own password
///
/// All other sessions of the account end.
#[utoipa::path(
    put, path = "/v1/staff/me/password", tag = "staff", request_body = PasswordChange,
    security(("bearer" = [])),
    responses(
        (status = 204, description = "The password is changed"),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "`wrong_password`, `no_account`", body = Problem),
        (status = 422, description = "`validation_failed`, `invalid_body`", body = Problem),
        (status = 429, description = "`too_many_sign_ins`; see `Retry-After`", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn change_password(
    member: Member,
    extensions: Extensions,
    headers: HeaderMap,
    Json(request): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let mut fields = Fields::new();
    let new = fields.check("new", request.new.parse());
    let new = fields.finish_with(|| new)?;
    member.admit_guess(&extensions)?;
    let Member { account, state } = member;
    // Only a page of the console sends the cookie with the header.
    let kept = cookie::renewal_of(&headers).ok().flatten();
    let kept = match kept {
        Some(token) => state.verifier().authenticate_renewal(token).await.ok(),
        None => None,
    };
    let kept = kept.map(|renewal| renewal.family);
    match change(&state, &account, request.current, new, kept).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(ChangePasswordError::Wrong) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "wrong_password",
            "The current password is wrong",
        )),
        Err(ChangePasswordError::Database(error)) => Err(error.into()),
        Err(ChangePasswordError::Password(error)) => Err(Problem::internal_from(&error)),
    }
}
