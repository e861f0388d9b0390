//! How much is taken at once, without any I/O: a fixed number, or as much as is done within a time.

use std::{ops::RangeInclusive, time::Duration};

/// How long a batch of events, or a round of the relay, may take before fewer are taken at once.
const TARGET: Duration = Duration::from_millis(50);

/// The most by which one overrun after another cuts the limit.
const DEEPEST_CUT: usize = 8;

/// How much is taken at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// Up to this many; zero counts as one.
    Fixed(usize),
    /// As many as are done within `target`, found out by trying: more while there is time left, fewer when it was too long. It
    /// bounds how long what comes now waits for what is already being done.
    Adaptive {
        /// The longest that a batch may take.
        target: Duration,
    },
}

impl Default for BatchSize {
    /// As many as are done within 50 milliseconds.
    fn default() -> Self {
        Self::Adaptive { target: TARGET }
    }
}

/// The limit of what is taken at once, moved by what taking so much has cost.
///
/// Additive increase, multiplicative decrease. While a full batch takes at most half of the target, the limit doubles: so it
/// starts, and so it comes back. From there it grows by a sixteenth, up to four fifths of the target, where it rests. A single
/// overrun cuts it by a tenth, for it may be a hiccup of a server; with the next one it falls to where the target would have been met.
///
/// What a batch costs however small it is (a commit, a confirm, a lock) no limit can save. Where that alone is too long, smaller
/// batches would only be fewer events in the same time. So when overruns in a row have halved the limit, the first and the last of them tell
/// how much of their time goes with the size. The rest is `fixed`, and from there on a batch may take twice as long as that. Whether it
/// still is so long, a half batch tells now and then.
#[derive(Debug)]
pub(crate) struct Limit {
    size: BatchSize,
    bounds: RangeInclusive<usize>,
    now: usize,
    /// A full batch that took too long, the first in a row of them: how many, and how long. What half as many take is held against it.
    long: Option<(usize, Duration)>,
    /// What a batch takes whatever its size, as far as it is known.
    fixed: Duration,
    /// How many full batches were allowed more than the target since that was found out.
    allowed: u32,
}

/// After how many full batches that were allowed more than the target it is looked whether they still need it.
const LOOK_AGAIN: u32 = 64;

impl Limit {
    /// A limit that begins with `start`. The bounds hold for what adapts, not for what is fixed.
    pub(crate) fn new(size: BatchSize, bounds: RangeInclusive<usize>, start: usize) -> Self {
        let now = match size {
            BatchSize::Fixed(fixed) => fixed.max(1),
            BatchSize::Adaptive { .. } => start.clamp(*bounds.start(), *bounds.end()),
        };
        Self { size, bounds, now, long: None, fixed: Duration::ZERO, allowed: 0 }
    }

    /// How much may be taken now: at least one.
    pub(crate) const fn get(&self) -> usize {
        self.now
    }

    /// So many were taken, and that took so long.
    pub(crate) fn observe(&mut self, taken: usize, took: Duration) {
        let BatchSize::Adaptive { target } = self.size else { return };
        // Any batch shows that what each one costs is no more than this.
        self.fixed = self.fixed.min(took);
        if taken < self.now {
            // It was not the limit that kept it small: nothing is learnt about another one.
            return;
        }
        let overruns = self.long.is_some();
        if let Some(long) = self.long
            && taken * 2 <= long.0
        {
            self.fixed = whatever_the_size(long, (taken, took));
            (self.long, self.allowed) = (None, 0);
        }
        let allowed = target.max(self.fixed * 2);
        if took > allowed {
            let by_a_tenth = self.now - self.now.div_ceil(10);
            self.long = self.long.or(Some((taken, took)));
            return self.shrink_to(if overruns {
                within(taken, allowed, took).max(self.now / DEEPEST_CUT).min(by_a_tenth)
            } else {
                by_a_tenth
            });
        }
        self.long = None;
        self.allowed += u32::from(allowed > target);
        if self.allowed > LOOK_AGAIN {
            (self.long, self.allowed) = (Some((taken, took)), 0);
            return self.shrink_to(self.now / 2);
        }
        self.grow_to(if took * 2 <= allowed {
            self.now * 2
        } else if took * 5 <= allowed * 4 {
            self.now + 1 + self.now / 16
        } else {
            self.now
        });
    }

    /// So many were taken and given up, for they were not done within a deadline. Fewer are taken next, below the bound as well: the
    /// same again would come to the same.
    pub(crate) fn gave_up(&mut self, taken: usize) {
        if let BatchSize::Adaptive { .. } = self.size {
            self.now = (taken / 2).clamp(1, self.now);
        }
    }

    fn grow_to(&mut self, limit: usize) {
        self.now = limit.min(*self.bounds.end());
    }

    fn shrink_to(&mut self, limit: usize) {
        let least = self.now.min(*self.bounds.start());
        self.now = limit.max(least);
    }
}

/// What two batches would have taken without a single one in them: where the line through both begins.
#[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^52")]
fn whatever_the_size(large: (usize, Duration), small: (usize, Duration)) -> Duration {
    let with_the_size = large.1.saturating_sub(small.1);
    let more = (large.0 - small.0) as f64;
    small.1.saturating_sub(with_the_size.mul_f64(small.0 as f64 / more))
}

/// How many of `taken` would have been done within `target`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a batch is far below 2^52, and the share of it is between none and all"
)]
fn within(taken: usize, target: Duration, took: Duration) -> usize {
    (taken as f64 * target.div_duration_f64(took).min(1.0)) as usize
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

    use super::{BatchSize, Limit};

    const TARGET: Duration = Duration::from_millis(50);
    const BOUNDS: std::ops::RangeInclusive<usize> = 1..=2048;

    fn adaptive() -> Limit {
        Limit::new(BatchSize::Adaptive { target: TARGET }, BOUNDS, 64)
    }

    /// A service that takes `fixed` for a batch and `each` for every one of it.
    fn service(fixed: Duration, each: Duration) -> impl Fn(usize) -> Duration {
        move |taken| fixed + each * u32::try_from(taken).unwrap()
    }

    /// The limits of `batches` full batches.
    fn run(limit: &mut Limit, batches: usize, service: impl Fn(usize) -> Duration) -> Vec<usize> {
        let one = |_| {
            let taken = limit.get();
            limit.observe(taken, service(taken));
            taken
        };
        (0..batches).map(one).collect()
    }

    #[test]
    fn it_finds_what_fits_into_the_target_and_rests_there() {
        for (fixed, each, batches) in [(2_000, 50, 20), (2_000, 5_000, 20), (500, 1_000, 20)] {
            let service = service(Duration::from_micros(fixed), Duration::from_micros(each));
            let mut limit = adaptive();
            run(&mut limit, batches, &service);
            let settled = run(&mut limit, 100, &service);
            let took = service(settled[0]);
            assert!(took <= TARGET && took * 2 > TARGET, "{each} µs: {took:?}");
            assert!(settled.iter().all(|one| *one == settled[0]), "{settled:?}");
        }
    }

    #[test]
    fn a_fast_service_gets_all_there_is_and_a_hopeless_one_one_at_a_time() {
        let mut limit = adaptive();
        run(&mut limit, 10, service(Duration::from_millis(1), Duration::from_nanos(100)));
        assert_eq!(limit.get(), 2048);
        run(&mut limit, 10, service(Duration::ZERO, Duration::from_secs(1)));
        assert_eq!(limit.get(), 1);
    }

    #[test]
    fn it_follows_a_service_that_becomes_slow_and_recovers() {
        let mut limit = adaptive();
        let (fast, slow) = (Duration::from_micros(20), Duration::from_millis(2));
        run(&mut limit, 20, service(Duration::from_millis(1), fast));
        let before = limit.get();
        assert!(before > 1_000, "{before}");
        // Two overruns tell that it is no hiccup; four batches later it is where it belongs.
        run(&mut limit, 4, service(Duration::from_millis(1), slow));
        assert!((12..=25).contains(&limit.get()), "{}", limit.get());
        run(&mut limit, 20, service(Duration::from_millis(1), fast));
        assert!(limit.get() > before / 2, "{}", limit.get());
    }

    #[test]
    fn a_hiccup_costs_a_tenth() {
        let mut limit = adaptive();
        run(&mut limit, 20, service(Duration::from_millis(1), Duration::from_micros(50)));
        let before = limit.get();
        limit.observe(before, Duration::from_secs(3));
        assert_eq!(limit.get(), before - before.div_ceil(10));
    }

    #[test]
    fn noise_does_not_make_it_swing_wider_than_a_third() {
        let mut rng = StdRng::seed_from_u64(3);
        let mut limit = adaptive();
        let quiet = service(Duration::from_millis(2), Duration::from_micros(100));
        let mut limits = Vec::new();
        for batch in 0..2_000 {
            let taken = limit.get();
            limit.observe(taken, quiet(taken).mul_f64(rng.random_range(0.8..1.2)));
            if batch > 100 {
                limits.push(limit.get());
            }
        }
        // 480 take the target exactly, and 382 four fifths of it.
        let (least, most) = (limits.iter().min().unwrap(), limits.iter().max().unwrap());
        assert!(*least >= 320 && *most <= 510, "{least} to {most}");
    }

    /// Smaller batches would take as long, and be fewer events in the same time.
    #[test]
    fn what_each_batch_costs_whatever_its_size_is_no_reason_to_shrink() {
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
            // It goes by, and with it the patience.
            let quick = self::service(Duration::from_millis(2), Duration::from_micros(200));
            let after = run(&mut limit, 200, quick);
            assert!((100..=250).contains(&limit.get()), "{after:?}");
        }
    }

    #[test]
    fn what_is_given_up_at_a_deadline_is_halved_until_it_fits() {
        let mut limit = Limit::new(BatchSize::default(), 128..=8192, 512);
        for expected in [256, 128, 64, 32] {
            limit.gave_up(limit.get());
            assert_eq!(limit.get(), expected);
        }
        // Done in time, though slowly: it stays as small as it is.
        run(&mut limit, 1, service(Duration::ZERO, Duration::from_millis(100)));
        assert_eq!(limit.get(), 32);
        run(&mut limit, 3, service(Duration::ZERO, Duration::from_micros(100)));
        assert_eq!(limit.get(), 256);
        limit.gave_up(1);
        assert_eq!(limit.get(), 1);
    }

    #[test]
    fn what_is_fixed_stays() {
        let mut limit = Limit::new(BatchSize::Fixed(512), BOUNDS, 64);
        run(&mut limit, 20, service(Duration::from_secs(1), Duration::from_secs(1)));
        assert_eq!(limit.get(), 512);
        assert_eq!(Limit::new(BatchSize::Fixed(0), BOUNDS, 64).get(), 1);
    }

    proptest! {
        #[test]
        fn it_stays_in_its_bounds(seen in prop::collection::vec((0usize..5_000, 0u64..100_000_000), 0..200)) {
            let mut limit = adaptive();
            for (taken, micros) in seen {
                limit.observe(taken, Duration::from_micros(micros));
                prop_assert!(BOUNDS.contains(&limit.get()));
            }
        }

        /// What was small for want of anything to do says nothing about a larger limit.
        #[test]
        fn idleness_moves_nothing(taken in prop::collection::vec((0usize..64, 0u64..10_000_000), 0..20)) {
            let mut limit = adaptive();
            for (taken, micros) in taken {
                limit.observe(taken, Duration::from_micros(micros));
            }
            prop_assert_eq!(limit.get(), 64);
        }
    }
}
