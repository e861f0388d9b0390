//! Staff accounts: sign-in, sessions, the second factor, and what staff did.

mod account_view;
mod administrator;
mod cookie;
mod member;
mod session_view;

mod change_password;
mod confirm_totp;
mod create_staff;
mod enrol_totp;
mod get_own_account;
mod list_staff;
mod list_staff_actions;
mod remove_totp;
mod renew_staff_session;
mod revoke_staff_sessions;
mod sign_in_staff;
mod sign_out_staff;
mod update_staff;

use std::time::Duration;

use axum::http::StatusCode;
use problem::Problem;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::Staff, state::AppState};

/// The routes of staff accounts.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        // Public: with credentials, or with the cookie.
        .routes(routes!(sign_in_staff::sign_in_staff))
        .routes(routes!(renew_staff_session::renew_staff_session))
        .routes(routes!(sign_out_staff::sign_out_staff))
        // Any member of staff, about the own account.
        .routes(routes!(get_own_account::get_own_account))
        .routes(routes!(change_password::change_password))
        .routes(routes!(
            enrol_totp::enrol_totp,
            confirm_totp::confirm_totp,
            remove_totp::remove_totp
        ))
        // Scope `staff:admin`.
        .routes(routes!(list_staff::list_staff, create_staff::create_staff))
        .routes(routes!(list_staff_actions::list_staff_actions))
        .routes(routes!(update_staff::update_staff))
        .routes(routes!(revoke_staff_sessions::revoke_staff_sessions))
}

/// The state of staff accounts, or 503 without one.
fn state_of(staff: Option<Staff>) -> Result<Staff, Problem> {
    staff.ok_or_else(|| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "staff_off", "There are no staff accounts")
            .detail("The console was started without DATABASE_URL or TOKEN_KEY_FILE.")
    })
}

fn too_many_sign_ins(wait: Duration) -> Problem {
    let title = "Too many sign-ins";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_sign_ins", title).retry_after(wait)
}
