//! What the use cases of staff share: the database, the key, and bounds of sign-ins.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use runtime::{
    auth::{Renewal, Role, SigningKey, TokenError, Verifier, mint, mint_renewal},
    clients::RateLimiter,
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    domain::{Account, Email},
    passwords::{PasswordError, Passwords},
};

/// The lifetime of an access token of staff. After a sign-out it is valid until its end.
const ACCESS_TTL: Duration = Duration::from_mins(10);

/// For how long a member of staff may be away before the next sign-in.
const IDLE: TimeDelta = TimeDelta::hours(12);

/// For how long one sign-in is good.
const SIGN_IN_TTL: TimeDelta = TimeDelta::days(7);

/// Sign-ins per minute: of one account from one address, from one address, and of one account from all addresses.
const PER_ACCOUNT_AND_ADDRESS: u32 = 5;
const PER_ADDRESS: u32 = 30;
const PER_ACCOUNT: u32 = 30;

/// What the use cases of staff share. Clones share it.
#[derive(Clone)]
pub(crate) struct Staff(Arc<Inner>);

struct Inner {
    pool: PgPool,
    key: SigningKey,
    verifier: Verifier,
    passwords: Passwords,
    pairs: RateLimiter<(String, Option<IpAddr>)>,
    addresses: RateLimiter<Option<IpAddr>>,
    accounts: RateLimiter<String>,
}

/// The tokens of a member of staff.
pub(crate) struct StaffTokens {
    pub(crate) access: String,
    /// When the access token expires.
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) renewal: String,
    /// When the renewal token expires.
    pub(crate) renewal_expires_at: DateTime<Utc>,
    pub(crate) role: Role,
}

impl Staff {
    pub(crate) fn new(
        pool: PgPool,
        key: SigningKey,
        verifier: Verifier,
    ) -> Result<Staff, PasswordError> {
        Ok(Staff(Arc::new(Inner {
            pool,
            key,
            verifier,
            passwords: Passwords::new()?,
            pairs: per_minute(PER_ACCOUNT_AND_ADDRESS),
            addresses: per_minute(PER_ADDRESS),
            accounts: per_minute(PER_ACCOUNT),
        })))
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    /// Counts a sign-in, or returns how long to wait.
    pub(super) fn admit(&self, email: &Email, address: Option<IpAddr>) -> Result<(), Duration> {
        let email = email.as_str().to_owned();
        self.0.addresses.check(&address)?;
        self.0.pairs.check(&(email.clone(), address))?;
        self.0.accounts.check(&email)
    }

    /// Counts a guess of the password or a code of an account that is signed in, or returns how long to wait.
    pub(crate) fn admit_account(
        &self,
        account: &Account,
        address: Option<IpAddr>,
    ) -> Result<(), Duration> {
        self.0.pairs.check(&(account.email.clone(), address))?;
        self.0.accounts.check(&account.email)
    }

    /// The tokens of an account.
    pub(super) fn issue(
        &self,
        account: &Account,
        session: Uuid,
        generation: i32,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<StaffTokens, TokenError> {
        let subject = account.subject();
        let renewal = Renewal { family: session, generation, subject: subject.clone(), expires_at };
        Ok(StaffTokens {
            access: mint(&self.0.key, &subject, account.role.scopes(), ACCESS_TTL)?,
            expires_at: now + TimeDelta::from_std(ACCESS_TTL).unwrap_or_default(),
            renewal: mint_renewal(&self.0.key, &renewal)?,
            renewal_expires_at: expires_at,
            role: account.role,
        })
    }
}

/// When the renewal token of a session expires that began at `began`.
pub(super) fn renewal_expiry(began: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    (now + IDLE).min(began + SIGN_IN_TTL)
}

fn per_minute<K: std::hash::Hash + Eq + Clone>(rate: u32) -> RateLimiter<K> {
    RateLimiter::per_minute(NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN))
}
