//! Counts events per key.

use std::{
    fmt,
    hash::Hash,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    Quota,
    clock::{Clock as _, DefaultClock},
    state::keyed::HashMapStateStore,
};

/// After so many checks, keys without recent events are forgotten.
const CHECKS_BETWEEN_CLEANUPS: u32 = 4_096;

/// Allows a number of events per key and time. It remembers the keys with recent events only, so its memory is bounded by the
/// number of events.
pub struct RateLimiter<K: Hash + Eq + Clone> {
    limiter: governor::RateLimiter<K, HashMapStateStore<K>, DefaultClock>,
    checks: AtomicU32,
}

impl<K: Hash + Eq + Clone> RateLimiter<K> {
    /// Allows `rate` events a second, and four times as many at once.
    pub fn per_second(rate: NonZeroU32) -> RateLimiter<K> {
        RateLimiter::new(Quota::per_second(rate).allow_burst(rate.saturating_mul(FOUR)))
    }

    /// Allows `rate` events a minute, all of them at once.
    pub fn per_minute(rate: NonZeroU32) -> RateLimiter<K> {
        RateLimiter::new(Quota::per_minute(rate))
    }

    fn new(quota: Quota) -> RateLimiter<K> {
        let limiter = governor::RateLimiter::hashmap(quota);
        RateLimiter { limiter, checks: AtomicU32::new(0) }
    }

    /// Counts an event of `key`, or returns after how long the next one is allowed.
    pub fn check(&self, key: &K) -> Result<(), Duration> {
        if self.checks.fetch_add(1, Ordering::Relaxed).is_multiple_of(CHECKS_BETWEEN_CLEANUPS) {
            self.limiter.retain_recent();
        }
        let now = self.limiter.clock().now();
        self.limiter.check_key(key).map_err(|refused| refused.wait_time_from(now))
    }
}

/// How many times its rate a key may use at once.
const FOUR: NonZeroU32 = match NonZeroU32::new(4) {
    Some(four) => four,
    None => NonZeroU32::MIN,
};

impl<K: Hash + Eq + Clone> fmt::Debug for RateLimiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use super::{CHECKS_BETWEEN_CLEANUPS, RateLimiter};

    #[test]
    fn each_key_has_its_own_allowance() {
        let limiter = RateLimiter::per_minute(NonZeroU32::new(30).unwrap());
        for _ in 0..30 {
            assert_eq!(limiter.check(&"a"), Ok(()));
        }
        let wait = limiter.check(&"a").unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(2), "{wait:?}");
        assert_eq!(limiter.check(&"b"), Ok(()));
    }

    #[test]
    fn keys_without_recent_events_are_forgotten() {
        let limiter = RateLimiter::per_second(NonZeroU32::new(100_000).unwrap());
        for key in 0..=2 * CHECKS_BETWEEN_CLEANUPS {
            assert_eq!(limiter.check(&key), Ok(()));
        }
        assert!(limiter.limiter.len() <= CHECKS_BETWEEN_CLEANUPS as usize + 1);
    }
}
