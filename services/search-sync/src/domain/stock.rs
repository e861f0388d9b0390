//! Levels of stock, of which search cares for one thing: whether there is any.

use std::collections::{BTreeMap, BTreeSet};

use vocabulary::{Sku, Version};

/// How many pieces of a SKU can be ordered, in which version of its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Pieces that are free to be ordered.
    pub available: i64,
    /// Counts up with every change of the level.
    pub version: Version,
}

impl Level {
    const fn is_there(self) -> bool {
        self.available > 0
    }
}

/// What a batch of levels comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// The levels to hold from now on, each SKU once, sorted.
    pub newer: Vec<(Sku, Level)>,
    /// Of these, the SKUs that were out of stock and are not any more, or the other way round: only these can change what
    /// a search answers.
    pub turned: Vec<Sku>,
    /// How many were not newer than what is held.
    pub skipped: usize,
}

/// Decides over the levels that were `heard`, knowing those that are `held`.
pub fn decide(
    held: &BTreeMap<Sku, Level>,
    heard: impl IntoIterator<Item = (Sku, Level)>,
) -> Decision {
    let mut newer: BTreeMap<Sku, Level> = BTreeMap::new();
    let mut skipped = 0;
    for (sku, level) in heard {
        let known = newer.get(&sku).or_else(|| held.get(&sku));
        if known.is_some_and(|known| known.version >= level.version) {
            skipped += 1;
        } else {
            newer.insert(sku, level);
        }
    }
    let was_there = |sku: &Sku| held.get(sku).is_some_and(|level| level.is_there());
    let turned: BTreeSet<&Sku> = newer
        .iter()
        .filter(|(sku, level)| level.is_there() != was_there(sku))
        .map(|(sku, _)| sku)
        .collect();
    let turned = turned.into_iter().cloned().collect();
    Decision { newer: newer.into_iter().collect(), turned, skipped }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use vocabulary::{Sku, Version};

    use super::{Level, decide};

    fn level(available: i64, version: i64) -> Level {
        Level { available, version: Version::try_from(version).unwrap() }
    }

    fn sku(name: &str) -> Sku {
        name.parse().unwrap()
    }

    #[test]
    fn only_what_turns_matters_and_only_what_is_newer_counts() {
        let held = BTreeMap::from([
            (sku("A"), level(5, 3)),
            (sku("B"), level(0, 3)),
            (sku("C"), level(1, 3)),
        ]);
        let heard = [
            (sku("A"), level(0, 2)),
            (sku("A"), level(4, 4)),
            (sku("B"), level(7, 4)),
            (sku("C"), level(0, 4)),
            (sku("C"), level(2, 5)),
            (sku("D"), level(0, 1)),
            (sku("E"), level(1, 1)),
        ];
        let decision = decide(&held, heard);
        let newer = [
            (sku("A"), level(4, 4)),
            (sku("B"), level(7, 4)),
            (sku("C"), level(2, 5)),
            (sku("D"), level(0, 1)),
            (sku("E"), level(1, 1)),
        ];
        assert_eq!(decision.newer, newer);
        assert_eq!(decision.turned, [sku("B"), sku("E")]);
        assert_eq!(decision.skipped, 1);
    }
}
