//! Shopper identities. The shop has no accounts: each browser receives a customer id of its own, a short-lived access token,
//! and a renewal token with which only the same browser receives the next access token.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use runtime::{
    auth::{Scope, SigningKey, TokenError, Verifier, mint},
    clients::{Client, ClientLimits, RateLimiter},
};
use vocabulary::CustomerId;

const ACCESS_TTL: Duration = Duration::from_mins(15);
const RENEWAL_TTL: Duration = Duration::from_hours(90 * 24);
/// The prefix of the subject of a renewal token. With it, the subject is not a customer id, and the token has no scope: no
/// other route accepts it.
const RENEWAL_PREFIX: &str = "renewal:";

/// New identities per minute for all addresses together, as many times as for one.
const ADDRESSES: u32 = 40;

/// Issues tokens at a limited rate. Clones share the key and the limits.
#[derive(Clone)]
pub(crate) struct Sessions(Arc<Inner>);

struct Inner {
    issuer: Option<Issuer>,
    /// New identities of each address; `None` if they are not bounded.
    addresses: Option<RateLimiter<IpAddr>>,
    /// New identities of all addresses.
    all: Option<RateLimiter<()>>,
}

impl Sessions {
    pub(crate) fn new(key: Option<SigningKey>, limits: &ClientLimits) -> Sessions {
        let issuer = key.map(|key| Issuer { verifier: key.verifier(), key });
        let for_all = |rate: NonZeroU32| {
            NonZeroU32::new(ADDRESSES).map_or(rate, |addresses| rate.saturating_mul(addresses))
        };
        Sessions(Arc::new(Inner {
            issuer,
            addresses: limits.sessions.map(RateLimiter::per_minute),
            all: limits.sessions.map(for_all).map(RateLimiter::per_minute),
        }))
    }

    /// `None` without a signing key.
    pub(crate) fn issuer(&self) -> Option<&Issuer> {
        self.0.issuer.as_ref()
    }

    /// Counts a new identity, or returns how long to wait. Renewals count like all other requests of their customer.
    pub(crate) fn admit(&self, client: &Client) -> Result<(), Duration> {
        if let (Some(limiter), Some(address)) = (&self.0.addresses, client.counted_address()) {
            limiter.check(&address)?;
        }
        self.0.all.as_ref().map_or(Ok(()), |limiter| limiter.check(&()))
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
