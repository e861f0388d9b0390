//! The shopper's identity. The shop has no accounts: a browser is given a customer id of its own, a short-lived token for it,
//! and a renewal with which the same browser, and nobody else, gets the next token for the same customer.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::response::IntoResponse;
use chrono::{DateTime, TimeDelta, Utc};
use problem::Problem;
use runtime::auth::{Scope, SigningKey, Verifier, mint};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocabulary::CustomerId;

/// How long a shopper's token is good.
const TOKEN: Duration = Duration::from_mins(15);
/// How long a browser may stay away and still be the same customer.
const RENEWAL: Duration = Duration::from_hours(90 * 24);
/// What a renewal's subject begins with: so it is no customer's id, and carries no scope either. It opens nothing but this.
const RENEWAL_OF: &str = "renewal:";

const WINDOW: Duration = Duration::from_mins(1);
/// Identities per minute for one address: a household, or a small office.
const PER_CLIENT: u32 = 30;
/// Identities per minute for everybody.
const FOR_ALL: u32 = 1_200;

/// Gives shoppers their identities. Clones share the key and the bounds.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    signing: Option<(SigningKey, Verifier)>,
    limiter: Mutex<Limiter>,
}

/// Who a shopper is.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Identity {
    /// The customer; the subject of the token.
    pub customer_id: CustomerId,
    /// A bearer token with the scopes `orders:read` and `orders:write`.
    pub token: String,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
    /// To be sent as the bearer token of the next `POST /session`, for a fresh token of the same customer.
    pub renewal: String,
}

impl Sessions {
    /// Signs with `key`; without one every request is answered 503 `ordering_off`.
    pub fn new(key: Option<SigningKey>) -> Sessions {
        let signing = key.map(|key| {
            let verifier = key.verifier();
            (key, verifier)
        });
        Sessions(Arc::new(Inner { signing, limiter: Mutex::default() }))
    }
}

/// `POST /session`.
pub fn router(sessions: Sessions) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(open)).with_state(sessions)
}

/// Gives the browser a customer id and a token for it; with a renewal as bearer token, a fresh token of the same customer.
#[utoipa::path(
    post,
    path = "/session",
    tag = "shop",
    responses(
        (status = 200, description = "The identity", body = Identity),
        (status = 401, description = "The renewal is not good", body = Problem),
        (status = 429, description = "Too many from here; see `Retry-After`", body = Problem),
        (status = 503, description = "`ordering_off`: there is no key to sign with", body = Problem),
    )
)]
async fn open(
    State(sessions): State<Sessions>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let Some((key, verifier)) = &sessions.0.signing else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ordering_off",
            "Ordering is switched off",
        )
        .detail("The console was started without TOKEN_KEY_FILE, so it cannot sign tokens."));
    };
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let admitted = sessions
        .0
        .limiter
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .admit(client, Instant::now());
    if let Err(wait) = admitted {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_sessions",
            "Too many identities were asked for",
        )
        .retry_after(wait));
    }
    let customer = match request.headers().get(AUTHORIZATION).map(|value| value.to_str()) {
        None => CustomerId::new(),
        Some(header) => header
            .ok()
            .and_then(|header| renewed(verifier, header))
            .ok_or_else(|| Problem::unauthorized("The renewal is not valid, or no longer."))?,
    };
    let identity = identity(key, customer).map_err(|error| Problem::internal_from(&error))?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(identity)))
}

fn identity(
    key: &SigningKey,
    customer_id: CustomerId,
) -> Result<Identity, runtime::auth::TokenError> {
    let lifetime = TimeDelta::from_std(TOKEN).unwrap_or_default();
    Ok(Identity {
        customer_id,
        expires_at: runtime::clock::now() + lifetime,
        token: mint(
            key,
            &customer_id.to_string(),
            &[Scope::OrdersRead, Scope::OrdersWrite],
            TOKEN,
        )?,
        renewal: mint(key, &format!("{RENEWAL_OF}{customer_id}"), &[], RENEWAL)?,
    })
}

/// The customer that a renewal was given to; `None` if it is none of ours.
fn renewed(verifier: &Verifier, header: &str) -> Option<CustomerId> {
    let (scheme, token) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let caller = verifier.verify(token.trim()).ok()?;
    caller.subject().strip_prefix(RENEWAL_OF)?.parse().ok()
}

/// Counts in windows of a minute, for each client and for all. Bounded: it never knows more clients than it admits.
#[derive(Debug, Default)]
struct Limiter {
    begun: Option<Instant>,
    all: u32,
    clients: HashMap<IpAddr, u32>,
}

impl Limiter {
    /// Lets the client in, or says how long to wait. Where the client's address is not known only the bound for all holds.
    fn admit(&mut self, client: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let begun = match self.begun {
            Some(begun) if now.saturating_duration_since(begun) < WINDOW => begun,
            Some(_) | None => {
                *self = Limiter { begun: Some(now), ..Limiter::default() };
                now
            }
        };
        let own = client.and_then(|client| self.clients.get(&client)).copied().unwrap_or_default();
        if self.all >= FOR_ALL || own >= PER_CLIENT {
            return Err(WINDOW.saturating_sub(now.saturating_duration_since(begun)));
        }
        self.all += 1;
        if let Some(client) = client {
            self.clients.insert(client, own + 1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::time::Instant;

    use super::{FOR_ALL, Limiter, PER_CLIENT, WINDOW};

    #[test]
    fn a_client_is_let_in_so_often_and_again_in_the_next_minute() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        let client = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let other = Some(IpAddr::V4(Ipv4Addr::BROADCAST));
        for _ in 0..PER_CLIENT {
            assert_eq!(limiter.admit(client, now), Ok(()));
        }
        assert_eq!(limiter.admit(client, now + WINDOW / 4), Err(WINDOW * 3 / 4));
        assert_eq!(limiter.admit(other, now), Ok(()));
        assert_eq!(limiter.admit(client, now + WINDOW), Ok(()));
    }

    #[test]
    fn all_together_are_bounded_too() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        for _ in 0..FOR_ALL {
            assert_eq!(limiter.admit(None, now), Ok(()));
        }
        assert_eq!(limiter.admit(None, now), Err(WINDOW));
    }
}
