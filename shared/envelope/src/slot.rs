//! The slot of a key: one of sixteen partitions.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// The number of slots. Queues are bound slot by slot, so it never changes.
pub const SLOTS: u8 = 16;

/// One of [`SLOTS`] partitions. All events of one key belong to one slot, which keeps their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u8);

impl Slot {
    /// The slot of `key`: XXH3-64 of its UTF-8 bytes modulo [`SLOTS`], the same on every machine and in every release.
    pub fn of(key: &str) -> Self {
        let slot = xxh3_64(key.as_bytes()) % u64::from(SLOTS);
        Self(u8::try_from(slot).unwrap_or_default())
    }

    /// All slots, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS).map(Self)
    }

    /// The slot's number, from 0.
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
    fn the_slot_of_a_key_never_changes() {
        let slots: Vec<u8> =
            ["", "a", "KB-F87-RED", "键盘"].into_iter().map(|key| Slot::of(key).number()).collect();
        assert_eq!(slots, GOLDEN);
        assert!(slots.iter().all(|slot| *slot < SLOTS));
    }

    /// Computed once. Another result would spread the events of a key over two slots.
    const GOLDEN: [u8; 4] = [2, 15, 15, 13];
}
