//! Figures with and without signatures, in pairs that are measured one after the other.

use suite::{
    Figures,
    Target::{self, AtLeast},
};

use crate::statistics::median;

/// The least part of the throughput that must be left.
const LEAST: f64 = 0.95;

/// The rates of one kind of work.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pub(crate) signed: Vec<f64>,
    pub(crate) unsigned: Vec<f64>,
}

impl Pairs {
    /// The median of what was left in each pair. The two of a pair ran one after the other, so the machine was the same.
    fn ratio(&self) -> f64 {
        let pairs = self.signed.iter().zip(&self.unsigned);
        median(pairs.map(|(signed, unsigned)| signed / unsigned).collect())
    }

    /// Records and prints the ratio and the rates.
    pub(crate) fn record(self, figures: &mut Figures, name: &str) {
        figures.record(format!("{name}_signed_over_unsigned"), self.ratio(), AtLeast(LEAST));
        let Self { signed, unsigned } = self;
        for (kind, rates) in [("signed", signed), ("unsigned", unsigned)] {
            figures.record(format!("{name}_{kind}_per_s"), median(rates), Target::None);
        }
    }
}

/// In which order the two of a pair are measured: the second one has the larger tables, so they take turns.
pub(crate) const fn order_of(pair: u32) -> [bool; 2] {
    if pair.is_multiple_of(2) { [false, true] } else { [true, false] }
}

#[cfg(test)]
mod tests {
    use super::{Pairs, order_of};

    #[test]
    fn a_ratio_is_the_median_of_pairs() {
        let pairs = Pairs { signed: vec![9.0, 40.0, 19.0], unsigned: vec![10.0, 50.0, 20.0] };
        assert_eq!(pairs.ratio().to_string(), "0.9");
        assert_ne!(order_of(0), order_of(1));
    }
}
