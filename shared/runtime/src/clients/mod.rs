//! Who sends a request, and how much one client may do.

mod client;
mod limits;
mod rate_limiter;
mod trusted_proxies;

pub use client::Client;
pub(crate) use client::counted;
pub use limits::{ClientLimits, InvalidClientLimits};
pub use rate_limiter::RateLimiter;
pub use trusted_proxies::{InvalidNetwork, TrustedProxies};
