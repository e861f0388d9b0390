//! The limits of the model that several files need.

/// How long a lease is valid without a renewal, in milliseconds, as `lease::LEASE_TTL`.
pub(super) const LEASE_TTL: u64 = 3_000;

/// How long an event waits for its predecessor, in milliseconds.
pub(super) const GAP_TIMEOUT: u64 = 60_000;

/// How often processes may die over an event after all faults have ended, whatever copies of it are on their way then.
pub(super) const MAX_DEATHS: u32 = 60;

/// How often a parked event is started at most. Thirty in the kit.
pub(super) const MAX_STARTS: i32 = 3;

/// The number of subscribers.
pub(super) const SUBSCRIBERS: usize = 2;

/// How long a slot is quiet before its last message is sent again, in milliseconds.
pub(super) const QUIET_TIME: u64 = 20_000;
