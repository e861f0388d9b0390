//! The answer to a sign-in and to its renewal.

use axum::{
    Json,
    http::{HeaderMap, header::CACHE_CONTROL},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use runtime::clock;
use serde::Serialize;

use super::{
    account_view::{RoleName, scopes_of},
    cookie,
};
use crate::app::StaffTokens;

/// A session of a member of staff. The renewal token is in a cookie, which scripts cannot read.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct StaffSession {
    /// A bearer token.
    token: String,
    /// When the token expires, after ten minutes.
    expires_at: DateTime<Utc>,
    role: RoleName,
    /// What the token allows.
    scopes: Vec<&'static str>,
}

/// The answer with the session, and the cookie.
pub(super) fn respond(request: &HeaderMap, tokens: StaffTokens) -> Response {
    let StaffTokens { access, expires_at, renewal, renewal_expires_at, role } = tokens;
    let cookie = cookie::keep(request, &renewal, renewal_expires_at, clock::now());
    let scopes = scopes_of(role);
    let session = StaffSession { token: access, expires_at, role: role.into(), scopes };
    ([cookie], [(CACHE_CONTROL, "no-store")], Json(session)).into_response()
}
