//! Slots: small dense numbers for products, sessions and baskets, so that the indexes store numbers instead
//! of ids.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A map keyed by slots. Its hasher is fixed and fast: the program assigns slots itself, so no client can
/// force collisions.
pub(super) type SlotMap<V> = HashMap<u32, V, BuildHasherDefault<SlotHasher>>;

/// Spreads a slot over all bits, by one multiplication.
#[derive(Default)]
pub(super) struct SlotHasher(u64);

impl Hasher for SlotHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, slot: u32) {
        let spread = (self.0 ^ u64::from(slot)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ (spread >> 32);
    }
}

pub(super) const fn index(slot: u32) -> usize {
    slot as usize
}

/// Converts a length. The bounds of the indexes keep every length far below the maximum.
pub(super) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Stores a value in a free slot, or in a new one.
pub(super) fn allocate<T>(slots: &mut Vec<T>, free: &mut Vec<u32>, value: T) -> u32 {
    if let Some(slot) = free.pop() {
        slots[index(slot)] = value;
        return slot;
    }
    slots.push(value);
    count(slots.len() - 1)
}
