//! Shopper identities. The shop has no accounts: each browser receives a customer id of its own, a short-lived access token,
//! and a renewal token with which only the same browser receives the next access token.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use runtime::auth::{Scope, SigningKey, TokenError, Verifier, mint};
use tokio::time::Instant;
use vocabulary::CustomerId;

const ACCESS_TTL: Duration = Duration::from_mins(15);
const RENEWAL_TTL: Duration = Duration::from_hours(90 * 24);
/// The prefix of the subject of a renewal token. With it, the subject is not a customer id, and the token has no scope: no
/// other route accepts it.
const RENEWAL_PREFIX: &str = "renewal:";

const WINDOW: Duration = Duration::from_mins(1);
/// Identities per minute for one address: enough for a household or a small office.
const LIMIT_PER_CLIENT: u32 = 30;
const LIMIT_FOR_ALL: u32 = 1_200;

/// Issues tokens at a limited rate. Clones share the key and the limits.
#[derive(Clone)]
pub(crate) struct Sessions(Arc<Inner>);

struct Inner {
    issuer: Option<Issuer>,
    limiter: Mutex<RateLimiter>,
}

impl Sessions {
    pub(crate) fn new(key: Option<SigningKey>) -> Sessions {
        let issuer = key.map(|key| Issuer { verifier: key.verifier(), key });
        Sessions(Arc::new(Inner { issuer, limiter: Mutex::default() }))
    }

    /// `None` without a signing key.
    pub(crate) fn issuer(&self) -> Option<&Issuer> {
        self.0.issuer.as_ref()
    }

    /// Counts a request, or returns how long to wait. An unknown `client` counts towards the limit for all only.
    pub(crate) fn admit(&self, client: Option<IpAddr>) -> Result<(), Duration> {
        let limiter = self.0.limiter.lock();
        limiter.unwrap_or_else(PoisonError::into_inner).admit(client, Instant::now())
    }
}

pub(crate) struct Issuer {
    key: SigningKey,
    verifier: Verifier,
}

pub(crate) struct Tokens {
    pub(crate) access: String,
    /// When the access token expires.
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) renewal: String,
}

impl Issuer {
    pub(crate) fn issue(&self, customer_id: CustomerId) -> Result<Tokens, TokenError> {
        let ttl = TimeDelta::from_std(ACCESS_TTL).unwrap_or_default();
        let scopes = [Scope::OrdersRead, Scope::OrdersWrite];
        Ok(Tokens {
            expires_at: runtime::clock::now() + ttl,
            access: mint(&self.key, &customer_id.to_string(), &scopes, ACCESS_TTL)?,
            renewal: mint(&self.key, &format!("{RENEWAL_PREFIX}{customer_id}"), &[], RENEWAL_TTL)?,
        })
    }

    /// The customer of the renewal token in an `Authorization` header; `None` if the token is not valid.
    pub(crate) fn customer_of_renewal(&self, header: &str) -> Option<CustomerId> {
        let (scheme, token) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let caller = self.verifier.verify(token.trim()).ok()?;
        caller.subject().strip_prefix(RENEWAL_PREFIX)?.parse().ok()
    }
}

/// Counts in fixed windows, per client and for all. The limit for all also bounds the number of clients in memory.
#[derive(Debug, Default)]
struct RateLimiter {
    window_start: Option<Instant>,
    all: u32,
    clients: HashMap<IpAddr, u32>,
}

impl RateLimiter {
    fn admit(&mut self, client: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let start = match self.window_start {
            Some(start) if now.saturating_duration_since(start) < WINDOW => start,
            Some(_) | None => {
                *self = RateLimiter { window_start: Some(now), ..RateLimiter::default() };
                now
            }
        };
        let own = client.and_then(|client| self.clients.get(&client)).copied().unwrap_or_default();
        if self.all >= LIMIT_FOR_ALL || own >= LIMIT_PER_CLIENT {
            return Err(WINDOW.saturating_sub(now.saturating_duration_since(start)));
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

    use super::{LIMIT_FOR_ALL, LIMIT_PER_CLIENT, RateLimiter, WINDOW};

    #[test]
    fn client_is_limited_until_the_next_window() {
        let (mut limiter, now) = (RateLimiter::default(), Instant::now());
        let client = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let other = Some(IpAddr::V4(Ipv4Addr::BROADCAST));
        for _ in 0..LIMIT_PER_CLIENT {
            assert_eq!(limiter.admit(client, now), Ok(()));
        }
        assert_eq!(limiter.admit(client, now + WINDOW / 4), Err(WINDOW * 3 / 4));
        assert_eq!(limiter.admit(other, now), Ok(()));
        assert_eq!(limiter.admit(client, now + WINDOW), Ok(()));
    }

    #[test]
    fn all_clients_together_are_limited() {
        let (mut limiter, now) = (RateLimiter::default(), Instant::now());
        for _ in 0..LIMIT_FOR_ALL {
            assert_eq!(limiter.admit(None, now), Ok(()));
        }
        assert_eq!(limiter.admit(None, now), Err(WINDOW));
    }
}
