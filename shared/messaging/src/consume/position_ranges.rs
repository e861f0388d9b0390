//! A set of positions, as ranges.

use std::collections::BTreeMap;

use crate::message_position::PositionRange;

/// Disjoint ranges of positions, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PositionRanges(BTreeMap<i64, i64>);

impl PositionRanges {
    pub(super) const fn empty() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of positions.
    pub(super) fn count(&self) -> u64 {
        let counts = self.iter().map(|range| range.last.abs_diff(range.first) + 1);
        counts.fold(0, u64::saturating_add)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = PositionRange> {
        self.0.iter().map(|(first, last)| PositionRange { first: *first, last: *last })
    }

    /// The smallest range around all.
    pub(super) fn span(&self) -> Option<PositionRange> {
        let ((first, _), (_, last)) = (self.0.first_key_value()?, self.0.last_key_value()?);
        Some(PositionRange { first: *first, last: *last })
    }

    /// The first position.
    pub(super) fn first(&self) -> Option<i64> {
        self.0.first_key_value().map(|(first, _)| *first)
    }

    /// The positions that are in both sets.
    pub(super) fn intersection(&self, other: &Self) -> Self {
        let (mut rest, mut both) = (self.clone(), Self::empty());
        for range in other.iter() {
            both.0.append(&mut rest.remove(range).0);
        }
        both
    }

    /// Adds a range; an empty one changes nothing.
    pub(super) fn insert(&mut self, range: PositionRange) {
        let PositionRange { mut first, mut last } = range;
        if first > last {
            return;
        }
        // Those that overlap or touch it become one range with it.
        while let Some((near, end)) =
            self.0.range(..=last.saturating_add(1)).next_back().map(|(near, end)| (*near, *end))
            && end >= first.saturating_sub(1)
        {
            self.0.remove(&near);
            (first, last) = (first.min(near), last.max(end));
        }
        self.0.insert(first, last);
    }

    /// Removes the positions of a range. Returns those that were in the set.
    pub(super) fn remove(&mut self, range: PositionRange) -> Self {
        let mut removed = Self::default();
        while let Some((near, end)) =
            self.0.range(..=range.last).next_back().map(|(near, end)| (*near, *end))
            && end >= range.first
        {
            self.0.remove(&near);
            if near < range.first {
                self.0.insert(near, range.first - 1);
            }
            if end > range.last {
                self.0.insert(range.last + 1, end);
            }
            removed.0.insert(near.max(range.first), end.min(range.last));
        }
        removed
    }
}

impl FromIterator<PositionRange> for PositionRanges {
    fn from_iter<T: IntoIterator<Item = PositionRange>>(ranges: T) -> Self {
        let mut set = Self::default();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{PositionRange, PositionRanges};

    fn range(first: i64, last: i64) -> PositionRange {
        PositionRange { first, last }
    }

    #[test]
    fn ranges_at_the_ends_of_the_numbers_do_not_overflow() {
        let mut set = PositionRanges::from_iter([range(1, i64::MAX)]);
        assert_eq!(set.count(), u64::try_from(i64::MAX).unwrap());
        set.insert(range(i64::MAX, i64::MAX));
        let removed = set.remove(range(5, i64::MAX));
        assert_eq!(removed.iter().collect::<Vec<_>>(), [range(5, i64::MAX)]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [range(1, 4)]);
    }

    proptest! {
        #[test]
        fn an_intersection_has_what_is_in_both(
            one in prop::collection::vec((1i64..40, 0i64..8), 0..10),
            other in prop::collection::vec((1i64..40, 0i64..8), 0..10),
        ) {
            let set = |ranges: &[(i64, i64)]| {
                ranges.iter().map(|(first, length)| range(*first, first + length)).collect::<PositionRanges>()
            };
            let positions = |set: &PositionRanges| -> BTreeSet<i64> {
                set.iter().flat_map(|range| range.first..=range.last).collect()
            };
            let (one, other) = (set(&one), set(&other));
            let expected: BTreeSet<i64> = &positions(&one) & &positions(&other);
            prop_assert_eq!(positions(&one.intersection(&other)), expected);
        }

        #[test]
        fn ranges_are_a_set(changes in prop::collection::vec((any::<bool>(), 1i64..40, 0i64..8), 0..40)) {
            let (mut set, mut model) = (PositionRanges::default(), BTreeSet::new());
            for (inserts, first, length) in changes {
                let (changed, positions) = (range(first, first + length), first..=first + length);
                if inserts {
                    set.insert(changed);
                    model.extend(positions);
                } else {
                    let expected: Vec<i64> = positions.filter(|position| model.remove(position)).collect();
                    let removed = set.remove(changed);
                    let removed: Vec<i64> = removed.iter().flat_map(|range| range.first..=range.last).collect();
                    prop_assert_eq!(removed, expected);
                }
                let positions: Vec<i64> = set.iter().flat_map(|range| range.first..=range.last).collect();
                prop_assert_eq!(positions, model.iter().copied().collect::<Vec<_>>());
                let ranges: Vec<PositionRange> = set.iter().collect();
                prop_assert!(ranges.windows(2).all(|pair| pair[0].last + 1 < pair[1].first));
            }
        }
    }
}
