//! Shopper identities. The shop has no accounts: each browser receives a customer id of its own, a short-lived access token,
//! and a renewal token with which only the same browser receives the next access token. Each renewal token is used once.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use runtime::{
    auth::{Renewal, Scope, SigningKey, TokenError, Verifier, mint, mint_renewal},
    clients::{Client, ClientLimits, RateLimiter},
    clock,
};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use uuid::Uuid;
use vocabulary::CustomerId;

use crate::app::{RenewError, renew_shopper};

const ACCESS_TTL: Duration = Duration::from_mins(15);
const RENEWAL_TTL: Duration = Duration::from_hours(90 * 24);
/// The prefix of the subject of a renewal token of an earlier version, which was an access token without scopes.
const EARLIER_PREFIX: &str = "renewal:";

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
    pub(crate) fn new(
        key: Option<SigningKey>,
        verifier: Option<Verifier>,
        pool: Option<PgPool>,
        limits: &ClientLimits,
    ) -> Sessions {
        let issuer = key.map(|key| {
            let verifier = verifier.unwrap_or_else(|| key.verifier());
            Issuer { key, verifier, pool }
        });
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
    /// Without it, renewal tokens can be used more than once.
    pool: Option<PgPool>,
}

pub(crate) struct Tokens {
    pub(crate) customer_id: CustomerId,
    pub(crate) access: String,
    /// When the access token expires.
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) renewal: String,
}

impl Issuer {
    /// The tokens of a new customer.
    pub(crate) fn issue(&self) -> Result<Tokens, TokenError> {
        let customer_id = CustomerId::new();
        self.tokens(&Renewal {
            family: Uuid::now_v7(),
            generation: 0,
            subject: customer_id.to_string(),
            expires_at: renewal_expiry(),
        })
    }

    /// The next tokens of the customer whose renewal token is in an `Authorization` header.
    pub(crate) async fn renew(&self, header: &str) -> Result<Tokens, RenewError> {
        let token = bearer(header).ok_or(RenewError::Invalid)?;
        let presented = self.verifier.authenticate_renewal(token).await.ok();
        let presented = presented.or_else(|| self.earlier(token)).ok_or(RenewError::Invalid)?;
        if presented.subject.parse::<CustomerId>().is_err() {
            return Err(RenewError::Invalid);
        }
        let renewal = match &self.pool {
            Some(pool) => renew_shopper(pool, presented, RENEWAL_TTL).await?,
            None => Renewal { expires_at: renewal_expiry(), ..presented },
        };
        self.tokens(&renewal).map_err(RenewError::Token)
    }

    /// A renewal token of an earlier version. It is used once: its session follows from its text.
    fn earlier(&self, token: &str) -> Option<Renewal> {
        let caller = self.verifier.verify(token).ok()?;
        let customer_id = caller.subject().strip_prefix(EARLIER_PREFIX)?;
        let digest: [u8; 32] = Sha256::digest(token).into();
        let (first, _) = digest.split_first_chunk::<16>()?;
        Some(Renewal {
            family: uuid::Builder::from_custom_bytes(*first).into_uuid(),
            generation: 0,
            subject: customer_id.to_owned(),
            expires_at: DateTime::from_timestamp(caller.expires_at(), 0)?,
        })
    }

    fn tokens(&self, renewal: &Renewal) -> Result<Tokens, TokenError> {
        let scopes = [Scope::OrdersRead, Scope::OrdersWrite];
        let customer_id =
            renewal.subject.parse().map_err(|_| TokenError::Refused("the subject"))?;
        Ok(Tokens {
            customer_id,
            expires_at: clock::now() + TimeDelta::from_std(ACCESS_TTL).unwrap_or_default(),
            access: mint(&self.key, &renewal.subject, &scopes, ACCESS_TTL)?,
            renewal: mint_renewal(&self.key, renewal)?,
        })
    }
}

/// When a renewal token expires that is issued now.
fn renewal_expiry() -> DateTime<Utc> {
    clock::now() + TimeDelta::from_std(RENEWAL_TTL).unwrap_or_default()
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
