//! The limits of the model that several files need.

/// How long a lease is valid without a renewal, in milliseconds, as `lease::LEASE_TTL`.
pub(super) const LEASE_TTL: u64 = 3_000;

/// How long an event waits for its predecessor, in milliseconds.
pub(super) const GAP_TIMEOUT: u64 = 60_000;

/// How often a parked event is started at most. Thirty in the kit.
pub(super) const MAX_STARTS: i32 = 3;
