//! How many visitors an address sends events of. It shows that visitors are invented.
//!
//! Addresses are held in memory alone, for ten minutes. An event keeps the place of its visitor among those of
//! the address, which identifies no one.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher as _,
    net::IpAddr,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::identity::VisitorId;

/// How long the visitors of an address are counted.
const WINDOW: TimeDelta = TimeDelta::minutes(10);

/// The most visitors that are told apart, of all addresses. Beyond it, counting begins again.
const CAPACITY: usize = 500_000;

/// The most visitors of one address that are told apart. All further ones have the last place.
const MAX_PLACE: u32 = 10_001;

/// The visitors of each address.
#[derive(Debug)]
pub(crate) struct AddressVisitors {
    windows: HashMap<IpAddr, Window>,
    visitors: usize,
    capacity: usize,
    hasher: RandomState,
}

#[derive(Debug)]
struct Window {
    began_at: DateTime<Utc>,
    /// By the hash of the visitor's id.
    places: HashMap<u64, u32>,
}

impl AddressVisitors {
    pub(crate) fn new() -> Self {
        Self {
            windows: HashMap::new(),
            visitors: 0,
            capacity: CAPACITY,
            hasher: RandomState::new(),
        }
    }

    /// The place of the visitor among those of the address, counted from 1.
    pub(crate) fn place(
        &mut self,
        address: IpAddr,
        visitor: &VisitorId,
        now: DateTime<Utc>,
    ) -> u32 {
        if self.visitors >= self.capacity {
            self.forget_old(now);
        }
        let window = self
            .windows
            .entry(address)
            .or_insert_with(|| Window { began_at: now, places: HashMap::new() });
        if now.signed_duration_since(window.began_at) >= WINDOW {
            self.visitors -= window.places.len();
            *window = Window { began_at: now, places: HashMap::new() };
        }
        let next = u32::try_from(window.places.len()).unwrap_or(u32::MAX).saturating_add(1);
        let visitor = self.hasher.hash_one(visitor);
        if let Some(&place) = window.places.get(&visitor) {
            return place;
        }
        if next >= MAX_PLACE {
            return MAX_PLACE;
        }
        window.places.insert(visitor, next);
        self.visitors += 1;
        next
    }

    /// Forgets windows that have ended, or all if most have not.
    fn forget_old(&mut self, now: DateTime<Utc>) {
        self.windows.retain(|_, window| now.signed_duration_since(window.began_at) < WINDOW);
        self.visitors = self.windows.values().map(|window| window.places.len()).sum();
        if self.visitors > self.capacity / 2 {
            self.windows.clear();
            self.visitors = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(number: usize) -> VisitorId {
        VisitorId::parse(&format!("v{number}")).unwrap()
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + minutes * 60, 0).unwrap()
    }

    #[test]
    fn visitors_of_an_address_have_places_for_ten_minutes() {
        let mut visitors = AddressVisitors::new();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        assert_eq!(visitors.place(one, &visitor(1), at(0)), 1);
        assert_eq!(visitors.place(one, &visitor(2), at(1)), 2);
        assert_eq!(visitors.place(one, &visitor(1), at(9)), 1);
        assert_eq!(visitors.place(other, &visitor(2), at(9)), 1);
        assert_eq!(visitors.place(one, &visitor(2), at(10)), 1);
        assert_eq!(visitors.place(one, &visitor(1), at(10)), 2);
    }

    #[test]
    fn memory_is_bounded() {
        let mut visitors = AddressVisitors { capacity: 100, ..AddressVisitors::new() };
        for number in 0..1_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            visitors.place(address, &visitor(1), at(0));
            let counted: usize = visitors.windows.values().map(|window| window.places.len()).sum();
            assert_eq!(counted, visitors.visitors);
            assert!(counted <= 100, "{counted}");
        }
        let address = IpAddr::from([192, 0, 2, 1]);
        let mut many = AddressVisitors::new();
        for number in 0..20_000 {
            many.place(address, &visitor(number), at(0));
        }
        assert_eq!(many.place(address, &visitor(30_000), at(0)), MAX_PLACE);
        assert_eq!(many.place(address, &visitor(7), at(0)), 8);
        assert!(many.visitors < 20_000);
    }
}
