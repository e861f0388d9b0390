//! The slot of a key: which of sixteen lanes its events travel in.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// How many slots there are. Queues are bound slot by slot, so this never changes.
pub const SLOTS: u8 = 16;

/// One of [`SLOTS`] lanes. All events of one key travel in one lane, so that their order can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u8);

impl Slot {
    /// The lane of `key`: XXH3-64 of its UTF-8 bytes modulo [`SLOTS`], the same on every machine and in every release.
    pub fn of(key: &str) -> Self {
        let lane = xxh3_64(key.as_bytes()) % u64::from(SLOTS);
        Self(u8::try_from(lane).unwrap_or_default())
    }

    /// All lanes, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS).map(Self)
    }

    /// The lane's number, from 0.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{SLOTS, Slot};

    #[test]
    fn lanes_never_move() {
        let lanes: Vec<u8> =
            ["", "a", "KB-F87-RED", "键盘"].into_iter().map(|key| Slot::of(key).number()).collect();
        assert_eq!(lanes, GOLDEN);
        assert!(lanes.iter().all(|lane| *lane < SLOTS));
    }

    /// Computed once; another answer would tear the events of a key apart.
    const GOLDEN: [u8; 4] = [2, 15, 15, 13];
}
