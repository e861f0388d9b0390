//! `POST /v1/staff/me/totp`

use axum::http::header::CACHE_CONTROL;
use problem::{Json, Problem};
use serde::Serialize;

use super::member::Member;
use crate::app::enrol_totp as enrol;

/// The secret for an authenticator app.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct TotpEnrolment {
    /// The secret in base 32, for typing.
    secret: String,
    /// The secret as an address, for a QR code.
    url: String,
}

/// Get a secret for a second factor
///
/// It counts once `PUT` has confirmed it with its first code (RFC 6238: SHA-1, six digits, 30 seconds).
#[utoipa::path(
    post, path = "/v1/staff/me/totp", tag = "staff", security(("bearer" = [])),
    responses(
        (status = 200, body = TotpEnrolment),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "`no_account`: the token is of no staff account", body = Problem),
        (status = 409, description = "`second_factor_exists`: remove it first", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn enrol_totp(
    member: Member,
) -> Result<([(axum::http::HeaderName, &'static str); 1], Json<TotpEnrolment>), Problem> {
    let Member { account, state } = member;
    if account.totp.is_some() {
        return Err(Problem::conflict(
            "second_factor_exists",
            "The account has a second factor already",
        ));
    }
    let secret = enrol(&state, &account).await?;
    let enrolment =
        TotpEnrolment { secret: secret.to_base32(), url: secret.to_url(&account.email) };
    Ok(([(CACHE_CONTROL, "no-store")], Json(enrolment)))
}
