//! Seeded draws that are the same on every machine.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};

/// A seeded source of draws.
///
/// It maps the generator's 32-bit words to ranges itself: the distributions of `rand` may change between
/// releases and depend on the width of `usize`.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from 0 up to `bound`, exclusive.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let scaled = u64::from(self.0.next_u32()) * u64::from(bound);
        u32::try_from(scaled >> 32).unwrap_or_default()
    }

    /// An index below `length`.
    pub(super) fn index(&mut self, length: usize) -> usize {
        let drawn = self.below(u32::try_from(length).unwrap_or(u32::MAX));
        usize::try_from(drawn).unwrap_or_default()
    }

    /// A number from `low` to `high`, inclusive.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// One of the items; panics if there are none.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.index(end + 1));
        }
    }
}
