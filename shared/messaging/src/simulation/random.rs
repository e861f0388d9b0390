//! Random numbers.

/// A small random number generator (splitmix64): the same seed always gives the same schedule.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap();
        usize::try_from(self.next() % bound).unwrap()
    }

    /// One of the given numbers.
    pub(super) fn pick<const N: usize>(&mut self, of: [usize; N]) -> usize {
        of[self.below(N)]
    }

    /// An index, drawn according to the weights.
    pub(super) fn weighted<const N: usize>(&mut self, weights: [usize; N]) -> usize {
        let mut drawn = self.below(weights.iter().sum::<usize>().max(1));
        for (index, weight) in weights.into_iter().enumerate() {
            if drawn < weight {
                return index;
            }
            drawn -= weight;
        }
        0
    }

    /// True in `percent` of all cases.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
