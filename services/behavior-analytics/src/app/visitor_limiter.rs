//! How many new visitors an address may get.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use runtime::clients::{Client, ClientLimits, RateLimiter};

/// Counts the new visitors of each address. Clones share it.
#[derive(Clone)]
pub(crate) struct VisitorLimiter(Option<Arc<RateLimiter<IpAddr>>>);

impl VisitorLimiter {
    /// As many as new shopper identities.
    pub(crate) fn new(limits: &ClientLimits) -> Self {
        Self(limits.sessions.map(|rate| Arc::new(RateLimiter::per_minute(rate))))
    }

    /// Counts a new visitor, or returns how long to wait.
    pub(crate) fn check(&self, client: &Client) -> Result<(), Duration> {
        match (&self.0, client.counted_address()) {
            (Some(limiter), Some(address)) => limiter.check(&address),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for VisitorLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VisitorLimiter").finish_non_exhaustive()
    }
}
