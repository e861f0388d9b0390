//! `POST /session`

use std::time::Duration;

use axum::{
    Json,
    extract::{Request, State},
    http::{
        StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL},
    },
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use problem::Problem;
use runtime::clients::Client;
use serde::{Deserialize, Serialize};
use vocabulary::CustomerId;

use crate::{app::RenewError, sessions::Sessions};

/// The identity of a shopper.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Identity {
    /// The subject of the token.
    pub customer_id: CustomerId,
    /// A bearer token with the scopes `orders:read` and `orders:write`.
    pub token: String,
    /// When the token expires.
    pub expires_at: DateTime<Utc>,
    /// The bearer token of the next `POST /session`, which returns a new token for the same customer.
    pub renewal: String,
}

/// Get a shopper identity
///
/// Without a bearer token the customer is new. With the renewal token of an earlier answer as bearer token, the customer is
/// the same. Each renewal token is used once; for half a minute its use may be repeated. A later second use ends the renewals.
#[utoipa::path(
    post, path = "/session", tag = "shop",
    responses(
        (status = 200, description = "The identity", body = Identity),
        (status = 401, description = "The renewal token is invalid, expired or was used", body = Problem),
        (status = 429, description = "Too many requests; see `Retry-After`", body = Problem),
        (status = 503, description = "`ordering_off`: the console has no signing key", body = Problem),
    )
)]
pub(crate) async fn create_session(
    State(sessions): State<Sessions>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let Some(issuer) = sessions.issuer() else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ordering_off",
            "Ordering is switched off",
        )
        .detail("The console was started without TOKEN_KEY_FILE, so it cannot sign tokens."));
    };
    let tokens = match request.headers().get(AUTHORIZATION).map(|value| value.to_str()) {
        None => {
            let admitted = sessions.admit(&Client::of(request.extensions()));
            admitted.map_err(too_many_sessions)?;
            issuer.issue().map_err(|error| Problem::internal_from(&error))?
        }
        Some(header) => issuer.renew(header.unwrap_or_default()).await.map_err(not_renewed)?,
    };
    let identity = Identity {
        customer_id: tokens.customer_id,
        token: tokens.access,
        expires_at: tokens.expires_at,
        renewal: tokens.renewal,
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(identity)))
}

fn too_many_sessions(wait: Duration) -> Problem {
    let title = "Too many sessions were requested";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_sessions", title).retry_after(wait)
}

fn not_renewed(error: RenewError) -> Problem {
    match error {
        RenewError::Invalid => Problem::unauthorized("The renewal token is invalid or expired."),
        RenewError::Database(error) => error.into(),
        RenewError::Token(error) => Problem::internal_from(&error),
    }
}
