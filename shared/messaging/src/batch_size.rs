//! Batch sizes, fixed or adapted to a target duration, without I/O.

use std::{ops::RangeInclusive, time::Duration};

/// The target duration of a batch of events or of a round of the relay.
const TARGET: Duration = Duration::from_millis(50);

/// The largest divisor by which consecutive overruns cut the limit.
const MAX_CUT: usize = 8;

/// How many events are processed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// A maximum number; zero counts as one.
    Fixed(usize),
    /// As many as fit into `target`. The size grows while there is time left and shrinks after overruns. It
    /// bounds how long a new event waits for the current batch.
    Adaptive { target: Duration },
}

impl Default for BatchSize {
    /// 50 milliseconds per batch.
    fn default() -> Self {
        Self::Adaptive { target: TARGET }
    }
}

/// The limit of a batch, adapted to the duration of earlier batches.
///
/// Additive increase, multiplicative decrease. While a full batch takes at most half of the target, the limit
/// doubles: at the start and after a cut. From there it grows by a sixteenth, up to four fifths of the
/// target. A single overrun may be a hiccup and cuts the limit by a tenth. A second one in a row cuts it to
/// the size that would have met the target.
///
/// Smaller batches do not reduce the fixed cost of a batch (a commit, a confirm, a lock), only the
/// throughput. So when consecutive overruns have halved the limit, the first and the last of them show which
/// part of the duration depends on the size. The rest is `fixed`, and from then on a batch may take twice
/// `fixed`. An occasional half batch checks whether that is still needed.
#[derive(Debug)]
pub(crate) struct BatchLimit {
    size: BatchSize,
    bounds: RangeInclusive<usize>,
    current: usize,
    /// The first full batch in a series of overruns: its size and duration. A batch of half the size is
    /// compared with it.
    overrun: Option<(usize, Duration)>,
    /// The known fixed cost of a batch, whatever its size.
    fixed: Duration,
    /// Full batches that were allowed more than the target since `fixed` was last determined.
    allowed: u32,
}

/// After how many full batches above the target `fixed` is determined again.
const FIXED_COST_RECHECK: u32 = 64;

impl BatchLimit {
    /// A limit that starts at `start`. The bounds apply to adaptive sizes only.
    pub(crate) fn new(size: BatchSize, bounds: RangeInclusive<usize>, start: usize) -> Self {
        let current = match size {
            BatchSize::Fixed(fixed) => fixed.max(1),
            BatchSize::Adaptive { .. } => start.clamp(*bounds.start(), *bounds.end()),
        };
        Self { size, bounds, current, overrun: None, fixed: Duration::ZERO, allowed: 0 }
    }

    /// The current limit, at least one.
    pub(crate) const fn get(&self) -> usize {
        self.current
    }

    /// Records the size and the duration of a batch.
    pub(crate) fn observe(&mut self, events: usize, duration: Duration) {
        let BatchSize::Adaptive { target } = self.size else { return };
        // The duration of any batch is an upper bound of the fixed cost.
        self.fixed = self.fixed.min(duration);
        if events < self.current {
            // The limit did not determine the size of this batch, so it says nothing about another limit.
            return;
        }
        let is_repeated = self.overrun.is_some();
        if let Some(overrun) = self.overrun
            && events * 2 <= overrun.0
        {
            self.fixed = fixed_cost(overrun, (events, duration));
            (self.overrun, self.allowed) = (None, 0);
        }
        let allowed = target.max(self.fixed * 2);
        if duration > allowed {
            let cut_by_a_tenth = self.current - self.current.div_ceil(10);
            self.overrun = self.overrun.or(Some((events, duration)));
            return self.shrink_to(if is_repeated {
                fitting(events, allowed, duration).max(self.current / MAX_CUT).min(cut_by_a_tenth)
            } else {
                cut_by_a_tenth
            });
        }
        self.overrun = None;
        self.allowed += u32::from(allowed > target);
        if self.allowed > FIXED_COST_RECHECK {
            (self.overrun, self.allowed) = (Some((events, duration)), 0);
            return self.shrink_to(self.current / 2);
        }
        self.grow_to(if duration * 2 <= allowed {
            self.current * 2
        } else if duration * 5 <= allowed * 4 {
            self.current + 1 + self.current / 16
        } else {
            self.current
        });
    }

    /// Records that a batch exceeded its deadline and was abandoned. The next one is smaller, even below the
    /// bounds: the same size would fail again.
    pub(crate) fn timed_out(&mut self, events: usize) {
        if let BatchSize::Adaptive { .. } = self.size {
            self.current = (events / 2).clamp(1, self.current);
        }
    }

    fn grow_to(&mut self, limit: usize) {
        self.current = limit.min(*self.bounds.end());
    }

    fn shrink_to(&mut self, limit: usize) {
        let least = self.current.min(*self.bounds.start());
        self.current = limit.max(least);
    }
}

/// The duration of an empty batch, extrapolated from two batches.
#[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^52")]
fn fixed_cost(large: (usize, Duration), small: (usize, Duration)) -> Duration {
    let size_dependent = large.1.saturating_sub(small.1);
    let more = (large.0 - small.0) as f64;
    small.1.saturating_sub(size_dependent.mul_f64(small.0 as f64 / more))
}

/// How many of `events` events would have fitted into `target`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a batch is far below 2^52, and its fraction is between zero and one"
)]
fn fitting(events: usize, target: Duration, duration: Duration) -> usize {
    (events as f64 * target.div_duration_f64(duration).min(1.0)) as usize
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

    use super::{BatchLimit, BatchSize};

    const TARGET: Duration = Duration::from_millis(50);
    const BOUNDS: std::ops::RangeInclusive<usize> = 1..=2048;

    fn adaptive() -> BatchLimit {
        BatchLimit::new(BatchSize::Adaptive { target: TARGET }, BOUNDS, 64)
    }

    /// A service with a fixed cost per batch and a cost per event.
    fn service(fixed: Duration, each: Duration) -> impl Fn(usize) -> Duration {
        move |events| fixed + each * u32::try_from(events).unwrap()
    }

    /// Runs full batches and returns their limits.
    fn run(
        limit: &mut BatchLimit,
        batches: usize,
        service: impl Fn(usize) -> Duration,
    ) -> Vec<usize> {
        let one = |_| {
            let events = limit.get();
            limit.observe(events, service(events));
            events
        };
        (0..batches).map(one).collect()
    }

    #[test]
    fn the_limit_settles_at_the_target() {
        for (fixed, each, batches) in [(2_000, 50, 20), (2_000, 5_000, 20), (500, 1_000, 20)] {
            let service = service(Duration::from_micros(fixed), Duration::from_micros(each));
            let mut limit = adaptive();
            run(&mut limit, batches, &service);
            let settled = run(&mut limit, 100, &service);
            let duration = service(settled[0]);
            assert!(duration <= TARGET && duration * 2 > TARGET, "{each} µs: {duration:?}");
            assert!(settled.iter().all(|one| *one == settled[0]), "{settled:?}");
        }
    }

    #[test]
    fn a_fast_service_reaches_the_maximum_a_slow_one_the_minimum() {
        let mut limit = adaptive();
        run(&mut limit, 10, service(Duration::from_millis(1), Duration::from_nanos(100)));
        assert_eq!(limit.get(), 2048);
        run(&mut limit, 10, service(Duration::ZERO, Duration::from_secs(1)));
        assert_eq!(limit.get(), 1);
    }

    #[test]
    fn the_limit_follows_a_slowdown_and_a_recovery() {
        let mut limit = adaptive();
        let (fast, slow) = (Duration::from_micros(20), Duration::from_millis(2));
        run(&mut limit, 20, service(Duration::from_millis(1), fast));
        let before = limit.get();
        assert!(before > 1_000, "{before}");
        // The second overrun rules out a hiccup; after four batches the limit fits.
        run(&mut limit, 4, service(Duration::from_millis(1), slow));
        assert!((12..=25).contains(&limit.get()), "{}", limit.get());
        run(&mut limit, 20, service(Duration::from_millis(1), fast));
        assert!(limit.get() > before / 2, "{}", limit.get());
    }

    #[test]
    fn a_single_overrun_cuts_a_tenth() {
        let mut limit = adaptive();
        run(&mut limit, 20, service(Duration::from_millis(1), Duration::from_micros(50)));
        let before = limit.get();
        limit.observe(before, Duration::from_secs(3));
        assert_eq!(limit.get(), before - before.div_ceil(10));
    }

    #[test]
    fn noise_moves_the_limit_by_a_third_at_most() {
        let mut rng = StdRng::seed_from_u64(3);
        let mut limit = adaptive();
        let quiet = service(Duration::from_millis(2), Duration::from_micros(100));
        let mut limits = Vec::new();
        for batch in 0..2_000 {
            let events = limit.get();
            limit.observe(events, quiet(events).mul_f64(rng.random_range(0.8..1.2)));
            if batch > 100 {
                limits.push(limit.get());
            }
        }
        // 480 events take the target exactly, 382 take four fifths of it.
        let (least, most) = (limits.iter().min().unwrap(), limits.iter().max().unwrap());
        assert!(*least >= 320 && *most <= 510, "{least} to {most}");
    }

    /// Smaller batches would take almost as long and reduce the throughput.
    #[test]
    fn a_fixed_cost_does_not_shrink_the_limit() {
        for (fixed, each) in [(60, 10), (100, 20), (300, 5), (2_000, 100)] {
            let service = service(Duration::from_millis(fixed), Duration::from_micros(each));
            let mut limit = adaptive();
            run(&mut limit, 40, &service);
            let settled = run(&mut limit, 100, &service);
            let least = u32::try_from(*settled.iter().min().unwrap()).unwrap();
            let work = Duration::from_micros(each) * least;
            assert!(
                work * 4 >= Duration::from_millis(fixed) || settled.contains(BOUNDS.end()),
                "{fixed} ms, {each} µs: {settled:?}"
            );
            // When the fixed cost falls, so does the allowance.
            let quick = self::service(Duration::from_millis(2), Duration::from_micros(200));
            let after = run(&mut limit, 200, quick);
            assert!((100..=250).contains(&limit.get()), "{after:?}");
        }
    }

    #[test]
    fn timeouts_halve_the_limit_until_a_batch_fits() {
        let mut limit = BatchLimit::new(BatchSize::default(), 128..=8192, 512);
        for expected in [256, 128, 64, 32] {
            limit.timed_out(limit.get());
            assert_eq!(limit.get(), expected);
        }
        // In time, but slow: the limit stays.
        run(&mut limit, 1, service(Duration::ZERO, Duration::from_millis(100)));
        assert_eq!(limit.get(), 32);
        run(&mut limit, 3, service(Duration::ZERO, Duration::from_micros(100)));
        assert_eq!(limit.get(), 256);
        limit.timed_out(1);
        assert_eq!(limit.get(), 1);
    }

    #[test]
    fn a_fixed_size_never_changes() {
        let mut limit = BatchLimit::new(BatchSize::Fixed(512), BOUNDS, 64);
        run(&mut limit, 20, service(Duration::from_secs(1), Duration::from_secs(1)));
        assert_eq!(limit.get(), 512);
        assert_eq!(BatchLimit::new(BatchSize::Fixed(0), BOUNDS, 64).get(), 1);
    }

    proptest! {
        #[test]
        fn the_limit_stays_within_its_bounds(seen in prop::collection::vec((0usize..5_000, 0u64..100_000_000), 0..200)) {
            let mut limit = adaptive();
            for (events, micros) in seen {
                limit.observe(events, Duration::from_micros(micros));
                prop_assert!(BOUNDS.contains(&limit.get()));
            }
        }

        /// A small batch of an idle service says nothing about a larger limit.
        #[test]
        fn small_batches_do_not_move_the_limit(events in prop::collection::vec((0usize..64, 0u64..10_000_000), 0..20)) {
            let mut limit = adaptive();
            for (size, micros) in events {
                limit.observe(size, Duration::from_micros(micros));
            }
            prop_assert_eq!(limit.get(), 64);
        }
    }
}
