//! Levels of stock, and what may be done to them.
//!
//! A batch loads the levels of all its SKUs into one [`Stock`], decides order by order, and writes the [`Changes`] back once.

use std::collections::{BTreeMap, BTreeSet};

use vocabulary::{OrderId, Sku, Version, WarehouseId};

/// The most pieces of a SKU that one warehouse holds.
pub const MAX_ON_HAND: i64 = 1_000_000_000;

/// The level of one SKU in one warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shelf {
    /// Where.
    pub warehouse: WarehouseId,
    /// Pieces that are there.
    pub on_hand: i64,
    /// Of these, set aside for orders.
    pub reserved: i64,
}

impl Shelf {
    /// Pieces that are free to be ordered.
    pub const fn available(&self) -> i64 {
        self.on_hand - self.reserved
    }
}

/// The level of one SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Which.
    pub sku: Sku,
    /// How often the level has been written.
    pub version: Version,
    /// Where it lies, in the order of the warehouses, each once.
    pub shelves: Vec<Shelf>,
}

impl Level {
    /// Pieces in all warehouses.
    pub fn on_hand(&self) -> i64 {
        self.shelves.iter().map(|shelf| shelf.on_hand).sum()
    }

    /// Of these, set aside for orders.
    pub fn reserved(&self) -> i64 {
        self.shelves.iter().map(|shelf| shelf.reserved).sum()
    }

    /// Pieces that are free to be ordered.
    pub fn available(&self) -> i64 {
        self.on_hand() - self.reserved()
    }

    fn available_in(&self, warehouse: WarehouseId) -> i64 {
        self.shelf(warehouse).map_or(0, |shelf| shelf.available())
    }

    fn shelf(&self, warehouse: WarehouseId) -> Option<Shelf> {
        self.shelves.iter().find(|shelf| shelf.warehouse == warehouse).copied()
    }
}

/// So many pieces of a SKU, set aside in a warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// Which SKU.
    pub sku: Sku,
    /// Where.
    pub warehouse: WarehouseId,
    /// How many, at least one.
    pub quantity: i64,
}

/// What kind of movement it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody counted, and said how many there are.
    Set,
    /// Somebody said how many more or fewer there are.
    Adjusted,
    /// Set aside for an order.
    Reserved,
    /// No longer set aside.
    Released,
    /// Set aside before, and now gone.
    Deducted,
}

impl Kind {
    /// As the ledger has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Adjusted => "adjusted",
            Self::Reserved => "reserved",
            Self::Released => "released",
            Self::Deducted => "deducted",
        }
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// Of which SKU.
    pub sku: Sku,
    /// What kind.
    pub kind: Kind,
    /// By how much the pieces that are there changed.
    pub on_hand_delta: i64,
    /// By how much the pieces that are set aside changed.
    pub reserved_delta: i64,
    /// What is on the shelf after it.
    pub after: Shelf,
    /// For which order.
    pub order: Option<OrderId>,
}

/// What became of an order's wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// All of it is set aside.
    Reserved(Vec<Allocation>),
    /// Nothing of it is, for these are missing; never empty.
    Rejected(Vec<Shortage>),
}

/// A SKU of which there is not enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// Which.
    pub sku: Sku,
    /// How many were asked for.
    pub requested: i64,
    /// How many there are; `None` if the SKU was never heard of.
    pub available: Option<i64>,
}

/// Why a level was not changed as somebody wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The SKU was never heard of.
    #[error("the SKU was never heard of")]
    UnknownSku,
    /// More is set aside for orders than would be there.
    #[error("{reserved} pieces are set aside for orders")]
    BelowReserved {
        /// How many are set aside.
        reserved: i64,
    },
    /// Fewer are free than were to be taken away.
    #[error("only {available} pieces are free")]
    Insufficient {
        /// How many are free.
        available: i64,
    },
    /// No warehouse holds so many.
    #[error("a warehouse holds at most {MAX_ON_HAND} pieces of a SKU")]
    TooMany,
}

/// What is to be undone was never done: the books are wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{quantity} pieces of {sku} are not set aside in warehouse {warehouse}", sku = .0.sku, quantity = .0.quantity, warehouse = .0.warehouse)]
pub struct Inconsistent(pub Allocation);

/// The levels that a batch works on, and what it has done to them so far.
#[derive(Debug, Clone, Default)]
pub struct Stock {
    levels: BTreeMap<Sku, Level>,
    movements: Vec<Movement>,
}

/// What is to be written back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The levels that changed, sorted by SKU, their versions counted up by one.
    pub levels: Vec<Level>,
    /// Every movement, in order.
    pub movements: Vec<Movement>,
}

impl Stock {
    /// The stock that consists of `levels`.
    pub fn new(levels: impl IntoIterator<Item = Level>) -> Self {
        let levels = levels.into_iter().map(|level| (level.sku.clone(), level)).collect();
        Self { levels, movements: Vec::new() }
    }

    /// The level of a SKU, if it was heard of.
    pub fn level(&self, sku: &Sku) -> Option<&Level> {
        self.levels.get(sku)
    }

    /// Sets aside all that an order wants, or nothing.
    ///
    /// The first warehouse that has all of it serves the order; if there is none, each line is taken from the warehouses in
    /// their order.
    pub fn reserve(&mut self, order: OrderId, wanted: &BTreeMap<Sku, i64>) -> Decision {
        let shortages = self.shortages(wanted);
        if !shortages.is_empty() {
            return Decision::Rejected(shortages);
        }
        let allocations = match self.one_warehouse_for(wanted) {
            Some(warehouse) => wanted
                .iter()
                .map(|(sku, quantity)| Allocation {
                    sku: sku.clone(),
                    warehouse,
                    quantity: *quantity,
                })
                .collect(),
            None => self.split(wanted),
        };
        for allocation in &allocations {
            self.shift(allocation, Kind::Reserved, 0, allocation.quantity, Some(order));
        }
        Decision::Reserved(allocations)
    }

    /// Frees what was set aside for an order: all of it, or nothing.
    pub fn release(
        &mut self,
        order: OrderId,
        allocations: &[Allocation],
    ) -> Result<(), Inconsistent> {
        self.check_reserved(allocations)?;
        for allocation in allocations {
            self.shift(allocation, Kind::Released, 0, -allocation.quantity, Some(order));
        }
        Ok(())
    }

    /// Takes away what was set aside for an order: all of it, or nothing.
    pub fn deduct(
        &mut self,
        order: OrderId,
        allocations: &[Allocation],
    ) -> Result<(), Inconsistent> {
        self.check_reserved(allocations)?;
        for allocation in allocations {
            let quantity = allocation.quantity;
            self.shift(allocation, Kind::Deducted, -quantity, -quantity, Some(order));
        }
        Ok(())
    }

    /// Says how many pieces there are in a warehouse, and whether that is news.
    pub fn set(
        &mut self,
        sku: &Sku,
        warehouse: WarehouseId,
        on_hand: i64,
    ) -> Result<bool, Refusal> {
        let level = self.levels.get(sku).ok_or(Refusal::UnknownSku)?;
        let before = level.shelf(warehouse).unwrap_or(Shelf { warehouse, on_hand: 0, reserved: 0 });
        if on_hand < before.reserved {
            return Err(Refusal::BelowReserved { reserved: before.reserved });
        }
        if on_hand > MAX_ON_HAND {
            return Err(Refusal::TooMany);
        }
        let delta = on_hand - before.on_hand;
        if delta != 0 {
            let place = Allocation { sku: sku.clone(), warehouse, quantity: delta };
            self.shift(&place, Kind::Set, delta, 0, None);
        }
        Ok(delta != 0)
    }

    /// Says how many more (or, if negative, fewer) pieces there are in a warehouse.
    pub fn adjust(&mut self, sku: &Sku, warehouse: WarehouseId, delta: i64) -> Result<(), Refusal> {
        let level = self.levels.get(sku).ok_or(Refusal::UnknownSku)?;
        let before = level.shelf(warehouse).unwrap_or(Shelf { warehouse, on_hand: 0, reserved: 0 });
        if delta < -before.available() {
            return Err(Refusal::Insufficient { available: before.available() });
        }
        if delta > MAX_ON_HAND - before.on_hand {
            return Err(Refusal::TooMany);
        }
        if delta != 0 {
            let place = Allocation { sku: sku.clone(), warehouse, quantity: delta };
            self.shift(&place, Kind::Adjusted, delta, 0, None);
        }
        Ok(())
    }

    /// What is to be written back.
    pub fn finish(self) -> Changes {
        let Self { mut levels, movements } = self;
        let moved: BTreeSet<&Sku> = movements.iter().map(|movement| &movement.sku).collect();
        levels.retain(|sku, _| moved.contains(sku));
        let levels = levels.into_values();
        let levels = levels.map(|level| Level { version: level.version.next(), ..level }).collect();
        Changes { levels, movements }
    }

    fn shortages(&self, wanted: &BTreeMap<Sku, i64>) -> Vec<Shortage> {
        let shortage = |(sku, requested): (&Sku, &i64)| {
            let available = self.levels.get(sku).map(Level::available);
            let missing = available.is_none_or(|available| available < *requested);
            missing.then(|| Shortage { sku: sku.clone(), requested: *requested, available })
        };
        wanted.iter().filter_map(shortage).collect()
    }

    /// The first warehouse that has all of it.
    fn one_warehouse_for(&self, wanted: &BTreeMap<Sku, i64>) -> Option<WarehouseId> {
        let first = self.levels.get(wanted.keys().next()?)?;
        let serves = |warehouse| {
            wanted.iter().all(|(sku, quantity)| {
                let level = self.levels.get(sku);
                level.is_some_and(|level| level.available_in(warehouse) >= *quantity)
            })
        };
        first.shelves.iter().map(|shelf| shelf.warehouse).find(|warehouse| serves(*warehouse))
    }

    /// Each line from the warehouses in their order; there is enough of everything.
    fn split(&self, wanted: &BTreeMap<Sku, i64>) -> Vec<Allocation> {
        let mut allocations = Vec::new();
        for (sku, quantity) in wanted {
            let mut missing = *quantity;
            for shelf in self.levels.get(sku).iter().flat_map(|level| &level.shelves) {
                let taken = missing.min(shelf.available());
                if taken > 0 {
                    let warehouse = shelf.warehouse;
                    allocations.push(Allocation { sku: sku.clone(), warehouse, quantity: taken });
                    missing -= taken;
                }
            }
        }
        allocations
    }

    fn check_reserved(&self, allocations: &[Allocation]) -> Result<(), Inconsistent> {
        let is_reserved = |allocation: &&Allocation| {
            let level = self.levels.get(&allocation.sku);
            let found = level.and_then(|level| level.shelf(allocation.warehouse));
            found.is_some_and(|found| found.reserved >= allocation.quantity)
        };
        match allocations.iter().find(|allocation| !is_reserved(allocation)) {
            Some(allocation) => Err(Inconsistent(allocation.clone())),
            None => Ok(()),
        }
    }

    /// Changes one shelf and writes it down; a shelf that was not there is put up. Whether it may be is for the caller to
    /// know.
    fn shift(
        &mut self,
        place: &Allocation,
        kind: Kind,
        on_hand_delta: i64,
        reserved_delta: i64,
        order: Option<OrderId>,
    ) {
        let Some(level) = self.levels.get_mut(&place.sku) else { return };
        let warehouse = place.warehouse;
        let index = level.shelves.binary_search_by_key(&warehouse, |shelf| shelf.warehouse);
        let index = index.unwrap_or_else(|index| {
            level.shelves.insert(index, Shelf { warehouse, on_hand: 0, reserved: 0 });
            index
        });
        let found = &mut level.shelves[index];
        found.on_hand += on_hand_delta;
        found.reserved += reserved_delta;
        let after = *found;
        let sku = place.sku.clone();
        self.movements.push(Movement { sku, kind, on_hand_delta, reserved_delta, after, order });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use uuid::Uuid;
    use vocabulary::{OrderId, Sku, Version, WarehouseId};

    use super::{
        Allocation, Decision, Inconsistent, Kind, Level, MAX_ON_HAND, Refusal, Shelf, Shortage,
        Stock,
    };

    fn sku(name: &str) -> Sku {
        name.parse().unwrap()
    }

    fn warehouse(number: u128) -> WarehouseId {
        Uuid::from_u128(number).into()
    }

    /// A stock of (SKU, pieces in warehouse 1, 2, …).
    fn stock(levels: &[(&str, &[i64])]) -> Stock {
        Stock::new(levels.iter().map(|(name, pieces)| {
            Level {
                sku: sku(name),
                version: Version::FIRST,
                shelves: (1..)
                    .zip(*pieces)
                    .map(|(n, on_hand)| Shelf {
                        warehouse: warehouse(n),
                        on_hand: *on_hand,
                        reserved: 0,
                    })
                    .collect(),
            }
        }))
    }

    fn wanted(lines: &[(&str, i64)]) -> BTreeMap<Sku, i64> {
        lines.iter().map(|(name, quantity)| (sku(name), *quantity)).collect()
    }

    fn allocation(name: &str, number: u128, quantity: i64) -> Allocation {
        Allocation { sku: sku(name), warehouse: warehouse(number), quantity }
    }

    fn reserved(decision: Decision) -> Vec<Allocation> {
        match decision {
            Decision::Reserved(allocations) => allocations,
            Decision::Rejected(shortages) => panic!("{shortages:?}"),
        }
    }

    #[test]
    fn an_order_gets_all_of_its_lines_or_nothing() {
        let mut stock = stock(&[("A", &[5]), ("B", &[1])]);
        let decision = stock.reserve(OrderId::new(), &wanted(&[("A", 2), ("B", 2), ("C", 1)]));
        let shortages = vec![
            Shortage { sku: sku("B"), requested: 2, available: Some(1) },
            Shortage { sku: sku("C"), requested: 1, available: None },
        ];
        assert_eq!(decision, Decision::Rejected(shortages));
        assert_eq!(stock.finish(), super::Changes::default());
    }

    #[test]
    fn the_first_warehouse_that_has_everything_serves() {
        let mut stock = stock(&[("A", &[5, 5, 5]), ("B", &[0, 1, 9])]);
        let decision = stock.reserve(OrderId::new(), &wanted(&[("A", 1), ("B", 2)]));
        assert_eq!(reserved(decision), [allocation("A", 3, 1), allocation("B", 3, 2)]);
    }

    #[test]
    fn where_no_warehouse_has_everything_they_are_asked_in_their_order() {
        let mut stock = stock(&[("A", &[2, 0, 2]), ("B", &[0, 3, 0])]);
        let decision = stock.reserve(OrderId::new(), &wanted(&[("A", 3), ("B", 1)]));
        assert_eq!(
            reserved(decision),
            [allocation("A", 1, 2), allocation("A", 3, 1), allocation("B", 2, 1)]
        );
    }

    #[test]
    fn what_is_not_set_aside_cannot_be_released_or_deducted() {
        let mut stock = stock(&[("A", &[5]), ("B", &[5])]);
        let order = OrderId::new();
        let allocations = reserved(stock.reserve(order, &wanted(&[("A", 2)])));
        let too_much = [allocations[0].clone(), allocation("B", 1, 1)];
        assert_eq!(stock.deduct(order, &too_much), Err(Inconsistent(allocation("B", 1, 1))));
        assert_eq!(stock.release(order, &too_much), Err(Inconsistent(allocation("B", 1, 1))));
        assert_eq!(stock.level(&sku("A")).unwrap().reserved(), 2);
        stock.deduct(order, &allocations).unwrap();
        assert_eq!(stock.release(order, &allocations), Err(Inconsistent(allocations[0].clone())));
        let level = stock.level(&sku("A")).unwrap();
        assert_eq!((level.on_hand(), level.reserved(), level.available()), (3, 0, 3));
    }

    #[test]
    fn nobody_sets_or_adjusts_below_what_is_promised() {
        let mut stock = stock(&[("A", &[5])]);
        stock.reserve(OrderId::new(), &wanted(&[("A", 3)]));
        let (a, here) = (sku("A"), warehouse(1));
        assert_eq!(stock.set(&a, here, 2), Err(Refusal::BelowReserved { reserved: 3 }));
        assert_eq!(stock.set(&a, here, MAX_ON_HAND + 1), Err(Refusal::TooMany));
        assert_eq!(stock.adjust(&a, here, -3), Err(Refusal::Insufficient { available: 2 }));
        assert_eq!(stock.adjust(&a, here, i64::MIN), Err(Refusal::Insufficient { available: 2 }));
        assert_eq!(stock.adjust(&a, here, i64::MAX), Err(Refusal::TooMany));
        assert_eq!(stock.set(&sku("X"), here, 1), Err(Refusal::UnknownSku));
        assert_eq!(stock.set(&a, here, 5), Ok(false));
        assert_eq!(stock.adjust(&a, here, -2), Ok(()));
        assert_eq!(stock.set(&a, warehouse(2), 7), Ok(true));
        assert_eq!(stock.level(&a).unwrap().available(), 7);
        let changes = stock.finish();
        let kinds: Vec<Kind> = changes.movements.iter().map(|movement| movement.kind).collect();
        assert_eq!(kinds, [Kind::Reserved, Kind::Adjusted, Kind::Set]);
        assert_eq!(changes.levels[0].version.get(), 2);
    }

    /// Something that may happen to a stock of three SKUs in three warehouses.
    #[derive(Debug, Clone)]
    enum Step {
        Reserve(Vec<(u8, i64)>),
        Release(prop::sample::Index),
        Deduct(prop::sample::Index),
        Set(u8, u128, i64),
        Adjust(u8, u128, i64),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let lines = prop::collection::vec((0u8..4, 1i64..12), 1..4);
        prop_oneof![
            4 => lines.prop_map(Step::Reserve),
            2 => any::<prop::sample::Index>().prop_map(Step::Release),
            2 => any::<prop::sample::Index>().prop_map(Step::Deduct),
            1 => (0u8..4, 1u128..4, -3i64..30).prop_map(|(sku, place, to)| Step::Set(sku, place, to)),
            1 => (0u8..4, 1u128..4, -20i64..20).prop_map(|(sku, place, by)| Step::Adjust(sku, place, by)),
        ]
    }

    /// The first three of four SKUs are known.
    fn any_stock() -> impl Strategy<Value = Stock> {
        prop::collection::vec(prop::collection::vec(0i64..20, 0..4), 3).prop_map(|levels| {
            let names = ["0", "1", "2"];
            let levels: Vec<(&str, &[i64])> =
                names.into_iter().zip(levels.iter().map(Vec::as_slice)).collect();
            stock(&levels)
        })
    }

    /// Does one step; living reservations are those that were neither released nor deducted.
    fn step(stock: &mut Stock, living: &mut Vec<(OrderId, Vec<Allocation>)>, step: Step) {
        match step {
            Step::Reserve(lines) => {
                let wanted = lines.iter().map(|(name, n)| (sku(&name.to_string()), *n)).collect();
                let order = OrderId::new();
                if let Decision::Reserved(allocations) = stock.reserve(order, &wanted) {
                    let mut given: BTreeMap<Sku, i64> = BTreeMap::new();
                    for allocation in &allocations {
                        *given.entry(allocation.sku.clone()).or_default() += allocation.quantity;
                    }
                    assert_eq!(given, wanted, "all that was wanted, and nothing else");
                    living.push((order, allocations));
                }
            }
            Step::Release(which) if !living.is_empty() => {
                let (order, allocations) = living.swap_remove(which.index(living.len()));
                stock.release(order, &allocations).unwrap();
            }
            Step::Deduct(which) if !living.is_empty() => {
                let (order, allocations) = living.swap_remove(which.index(living.len()));
                stock.deduct(order, &allocations).unwrap();
            }
            Step::Release(_) | Step::Deduct(_) => {}
            Step::Set(name, place, to) => {
                // A negative level is below what is reserved, whatever that is.
                let done = stock.set(&sku(&name.to_string()), warehouse(place), to);
                assert!(to >= 0 || done.is_err());
            }
            Step::Adjust(name, place, by) => {
                let _ = stock.adjust(&sku(&name.to_string()), warehouse(place), by);
            }
        }
    }

    proptest! {
        /// Whatever happens: nothing is negative or promised twice, what is set aside is what living orders hold, and the
        /// movements add up to the levels.
        #[test]
        fn the_books_always_balance(opening in any_stock(), steps in prop::collection::vec(any_step(), 0..60)) {
            let mut stock = opening.clone();
            let mut living = Vec::new();
            for one in steps {
                step(&mut stock, &mut living, one);
                for level in stock.levels.values() {
                    for shelf in &level.shelves {
                        prop_assert!(0 <= shelf.reserved && shelf.reserved <= shelf.on_hand, "{shelf:?}");
                    }
                    let held: i64 = living.iter().flat_map(|(_, allocations)| allocations)
                        .filter(|allocation| allocation.sku == level.sku)
                        .map(|allocation| allocation.quantity)
                        .sum();
                    prop_assert_eq!(level.reserved(), held);
                }
            }
            for level in stock.levels.values() {
                let moved = |delta: fn(&super::Movement) -> i64| -> i64 {
                    stock.movements.iter().filter(|movement| movement.sku == level.sku).map(delta).sum()
                };
                let before = opening.level(&level.sku).unwrap();
                prop_assert_eq!(before.on_hand() + moved(|movement| movement.on_hand_delta), level.on_hand());
                prop_assert_eq!(moved(|movement| movement.reserved_delta), level.reserved());
            }
        }

        /// A rejected order leaves no trace, and says truly what is missing.
        #[test]
        fn a_rejection_changes_nothing(opening in any_stock(), lines in prop::collection::vec((0u8..4, 1i64..40), 1..4)) {
            let wanted: BTreeMap<Sku, i64> = lines.iter().map(|(name, n)| (sku(&name.to_string()), *n)).collect();
            let mut stock = opening.clone();
            if let Decision::Rejected(shortages) = stock.reserve(OrderId::new(), &wanted) {
                prop_assert!(!shortages.is_empty());
                for shortage in shortages {
                    let available = opening.level(&shortage.sku).map(Level::available);
                    prop_assert_eq!(available, shortage.available);
                    prop_assert!(available.unwrap_or(0) < shortage.requested);
                }
                prop_assert_eq!(stock.finish(), super::Changes::default());
            } else {
                prop_assert!(wanted.iter().all(|(sku, n)| opening.level(sku).is_some_and(|level| level.available() >= *n)));
            }
        }
    }
}
