//! `GET /v1/staff/me`

use problem::{Json, Problem};

use super::{account_view::AccountView, member::Member};

/// Get the own account
#[utoipa::path(
    get, path = "/v1/staff/me", tag = "staff", security(("bearer" = [])),
    responses(
        (status = 200, body = AccountView),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "`no_account`: the token is of no staff account", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn get_own_account(member: Member) -> Json<AccountView> {
    Json(member.account.into())
}
