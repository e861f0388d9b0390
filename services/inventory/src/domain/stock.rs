//! Stock levels and the rules for changing them.
//!
//! A batch loads the levels of all its SKUs into one [`Stock`], decides order by order, and writes the
//! [`StockChanges`] back once.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use vocabulary::{OrderId, Sku, Version, WarehouseId};

use super::{
    Allocation, LowStock, Movement, MovementKind, Nearness, Region, ReservationDecision,
    ReservationRequest, Shortage, Site, ThresholdChange, UnknownSku, allocation::allocate,
};

/// The maximum number of pieces of a SKU in one warehouse.
pub(crate) const MAX_ON_HAND: i64 = 1_000_000_000;

/// The stock of one SKU in one warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WarehouseStock {
    pub(crate) warehouse: WarehouseId,
    /// Pieces in the warehouse, reserved ones included.
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
}

impl WarehouseStock {
    const fn empty(warehouse: WarehouseId) -> Self {
        Self { warehouse, on_hand: 0, reserved: 0 }
    }

    /// Pieces that an order can still reserve.
    pub(crate) const fn available(&self) -> i64 {
        self.on_hand - self.reserved
    }
}

/// The stock of one SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SkuStock {
    pub(crate) sku: Sku,
    /// Counts the writes of this SKU's stock.
    pub(crate) version: Version,
    /// Its own threshold of low stock.
    pub(crate) low_at: Option<i64>,
    /// Sorted by warehouse id, each once.
    pub(crate) warehouses: Vec<WarehouseStock>,
}

impl SkuStock {
    /// Pieces in all warehouses, reserved ones included.
    pub(crate) fn on_hand(&self) -> i64 {
        self.warehouses.iter().map(|stock| stock.on_hand).sum()
    }

    /// Reserved pieces in all warehouses.
    pub(crate) fn reserved(&self) -> i64 {
        self.warehouses.iter().map(|stock| stock.reserved).sum()
    }

    /// Pieces that orders can still reserve.
    pub(crate) fn available(&self) -> i64 {
        self.on_hand() - self.reserved()
    }

    fn in_warehouse(&self, warehouse: WarehouseId) -> Option<WarehouseStock> {
        self.warehouses.iter().find(|stock| stock.warehouse == warehouse).copied()
    }

    fn available_in(&self, warehouse: WarehouseId) -> i64 {
        self.in_warehouse(warehouse).map_or(0, |stock| stock.available())
    }
}

/// Why a level cannot be set or adjusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StockRefusal {
    #[error("the SKU is unknown")]
    UnknownSku,
    #[error("{reserved} pieces are reserved for orders")]
    BelowReserved { reserved: i64 },
    #[error("only {available} pieces are available")]
    Insufficient { available: i64 },
    #[error("a warehouse holds at most {MAX_ON_HAND} pieces of a SKU")]
    TooMany,
}

/// An allocation to release or deduct that the stock levels do not contain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{quantity} pieces of {sku} are not reserved in warehouse {warehouse}", sku = .0.sku, quantity = .0.quantity, warehouse = .0.warehouse)]
pub(crate) struct NotReserved(pub(crate) Allocation);

/// The levels that a batch works on, with the movements so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stock {
    skus: BTreeMap<Sku, SkuStock>,
    /// Those of the warehouses with a level. One that is missing has no priority and no region.
    sites: HashMap<WarehouseId, Site>,
    movements: Vec<Movement>,
    /// The former thresholds of SKUs that got another one.
    former_thresholds: BTreeMap<Sku, Option<i64>>,
}

/// The changes to write back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct StockChanges {
    /// The changed SKUs, sorted, each with its version incremented by one.
    pub(crate) skus: Vec<SkuStock>,
    /// All movements, in order.
    pub(crate) movements: Vec<Movement>,
    /// The former thresholds of SKUs that got another one.
    former_thresholds: BTreeMap<Sku, Option<i64>>,
}

impl StockChanges {
    /// The changed SKUs that had available pieces before and have none, or the other way round.
    pub(crate) fn changed_availability(&self) -> HashSet<&Sku> {
        let before = self.available_before();
        let has_changed = |stock: &&SkuStock| {
            let before = before.get(&stock.sku).copied().unwrap_or_default();
            (before > 0) != (stock.available() > 0)
        };
        self.skus.iter().filter(has_changed).map(|stock| &stock.sku).collect()
    }

    /// The changed SKUs that are low and were not: their pieces became fewer, or their threshold higher.
    pub(crate) fn became_low(&self, setting: LowStock) -> HashSet<&Sku> {
        let before = self.available_before();
        let became_low = |stock: &&SkuStock| {
            let before = before.get(&stock.sku).copied().unwrap_or_default();
            let former = self.former_thresholds.get(&stock.sku).copied().unwrap_or(stock.low_at);
            before > setting.threshold(former)
                && stock.available() <= setting.threshold(stock.low_at)
        };
        self.skus.iter().filter(became_low).map(|stock| &stock.sku).collect()
    }

    /// The available pieces of the changed SKUs before the changes.
    fn available_before(&self) -> HashMap<&Sku, i64> {
        let mut available: HashMap<&Sku, i64> =
            self.skus.iter().map(|stock| (&stock.sku, stock.available())).collect();
        for movement in &self.movements {
            let delta = movement.on_hand_delta - movement.reserved_delta;
            *available.entry(&movement.sku).or_default() -= delta;
        }
        available
    }
}

impl Stock {
    /// Starts without movements.
    pub(crate) fn new(skus: impl IntoIterator<Item = SkuStock>) -> Self {
        let skus = skus.into_iter().map(|stock| (stock.sku.clone(), stock)).collect();
        Self { skus, ..Self::default() }
    }

    /// Adds what decides which warehouse serves an order.
    pub(crate) fn with_sites(self, sites: HashMap<WarehouseId, Site>) -> Self {
        Self { sites, ..self }
    }

    /// The stock of a SKU, if the SKU is known.
    pub(crate) fn get(&self, sku: &Sku) -> Option<&SkuStock> {
        self.skus.get(sku)
    }

    /// The first unknown SKU of `request`, if any.
    pub(crate) fn unknown_sku(&self, request: &ReservationRequest) -> Option<UnknownSku> {
        let unknown = request.lines.keys().find(|sku| !self.skus.contains_key(sku));
        unknown.cloned().map(UnknownSku)
    }

    /// The smallest number of available pieces among the SKUs of `request`.
    pub(crate) fn fewest_available(&self, request: &ReservationRequest) -> Option<i64> {
        let known = request.lines.keys().filter_map(|sku| self.skus.get(sku));
        known.map(SkuStock::available).min()
    }

    /// Reserves all lines of an order, or none.
    ///
    /// One warehouse serves the whole order if it can; otherwise it is split over few ([`allocate`]). Of several that would do, the one
    /// with the highest priority serves, then the nearest to the destination, then the oldest.
    pub(crate) fn reserve(&mut self, request: &ReservationRequest) -> ReservationDecision {
        let lines = &request.lines;
        let shortages = self.shortages(lines);
        if !shortages.is_empty() {
            return ReservationDecision::Rejected(shortages);
        }
        let ranked = self.ranked_warehouses(lines, request.destination.as_ref());
        let allocations = allocate(lines, &ranked, |sku, warehouse| {
            self.skus.get(sku).map_or(0, |stock| stock.available_in(warehouse))
        });
        for allocation in &allocations {
            let quantity = allocation.quantity;
            self.apply(allocation, MovementKind::Reserved, 0, quantity, Some(request.order));
        }
        ReservationDecision::Reserved(allocations)
    }

    /// Makes the pieces reserved for an order available again: all of them, or none.
    pub(crate) fn release(
        &mut self,
        order: OrderId,
        allocations: &[Allocation],
    ) -> Result<(), NotReserved> {
        self.check_reserved(allocations)?;
        for allocation in allocations {
            self.apply(allocation, MovementKind::Released, 0, -allocation.quantity, Some(order));
        }
        Ok(())
    }

    /// Removes the pieces reserved for an order: all of them, or none.
    pub(crate) fn deduct(
        &mut self,
        order: OrderId,
        allocations: &[Allocation],
    ) -> Result<(), NotReserved> {
        self.check_reserved(allocations)?;
        for allocation in allocations {
            let quantity = allocation.quantity;
            self.apply(allocation, MovementKind::Deducted, -quantity, -quantity, Some(order));
        }
        Ok(())
    }

    /// Adds pieces that came back from the customer of an order, all of them or none. Those that are written off leave at once.
    pub(crate) fn take_back(
        &mut self,
        order: OrderId,
        restocked: &[Allocation],
        written_off: &[Allocation],
    ) -> Result<(), UnknownSku> {
        let mut unknown = restocked.iter().chain(written_off);
        if let Some(line) = unknown.find(|line| !self.skus.contains_key(&line.sku)) {
            return Err(UnknownSku(line.sku.clone()));
        }
        for line in restocked.iter().chain(written_off) {
            self.apply(line, MovementKind::Returned, line.quantity, 0, Some(order));
        }
        for line in written_off {
            self.apply(line, MovementKind::WrittenOff, -line.quantity, 0, Some(order));
        }
        Ok(())
    }

    /// Sets the pieces on hand in a warehouse, and returns whether the number changed.
    pub(crate) fn set(
        &mut self,
        sku: &Sku,
        warehouse: WarehouseId,
        on_hand: i64,
    ) -> Result<bool, StockRefusal> {
        let before = self.before(sku, warehouse)?;
        if on_hand < before.reserved {
            return Err(StockRefusal::BelowReserved { reserved: before.reserved });
        }
        if on_hand > MAX_ON_HAND {
            return Err(StockRefusal::TooMany);
        }
        let delta = on_hand - before.on_hand;
        if delta != 0 {
            let place = Allocation { sku: sku.clone(), warehouse, quantity: delta };
            self.apply(&place, MovementKind::Set, delta, 0, None);
        }
        Ok(delta != 0)
    }

    /// Adds pieces to a warehouse, or removes them if `delta` is negative.
    pub(crate) fn adjust(
        &mut self,
        sku: &Sku,
        warehouse: WarehouseId,
        delta: i64,
    ) -> Result<(), StockRefusal> {
        let before = self.before(sku, warehouse)?;
        if delta < -before.available() {
            return Err(StockRefusal::Insufficient { available: before.available() });
        }
        if delta > MAX_ON_HAND - before.on_hand {
            return Err(StockRefusal::TooMany);
        }
        if delta != 0 {
            let place = Allocation { sku: sku.clone(), warehouse, quantity: delta };
            self.apply(&place, MovementKind::Adjusted, delta, 0, None);
        }
        Ok(())
    }

    /// Gives a SKU a threshold of low stock of its own, or takes it away.
    pub(crate) fn set_threshold(
        &mut self,
        sku: &Sku,
        change: ThresholdChange,
    ) -> Result<(), StockRefusal> {
        let stock = self.skus.get_mut(sku).ok_or(StockRefusal::UnknownSku)?;
        let low_at = match change {
            ThresholdChange::Keep => return Ok(()),
            ThresholdChange::Remove => None,
            ThresholdChange::At(threshold) => Some(threshold),
        };
        if stock.low_at != low_at {
            self.former_thresholds.entry(sku.clone()).or_insert(stock.low_at);
            stock.low_at = low_at;
        }
        Ok(())
    }

    /// The changes to write back.
    pub(crate) fn into_changes(self) -> StockChanges {
        let Self { mut skus, movements, former_thresholds, .. } = self;
        let moved: BTreeSet<&Sku> = movements.iter().map(|movement| &movement.sku).collect();
        skus.retain(|sku, _| moved.contains(sku) || former_thresholds.contains_key(sku));
        let skus = skus
            .into_values()
            .map(|stock| SkuStock { version: stock.version.next(), ..stock })
            .collect();
        StockChanges { skus, movements, former_thresholds }
    }

    fn before(&self, sku: &Sku, warehouse: WarehouseId) -> Result<WarehouseStock, StockRefusal> {
        let stock = self.skus.get(sku).ok_or(StockRefusal::UnknownSku)?;
        Ok(stock.in_warehouse(warehouse).unwrap_or(WarehouseStock::empty(warehouse)))
    }

    fn shortages(&self, lines: &BTreeMap<Sku, i64>) -> Vec<Shortage> {
        let shortage = |(sku, requested): (&Sku, &i64)| {
            let available = self.skus.get(sku).map(SkuStock::available);
            let missing = available.is_none_or(|available| available < *requested);
            missing.then(|| Shortage { sku: sku.clone(), requested: *requested, available })
        };
        lines.iter().filter_map(shortage).collect()
    }

    /// The warehouses with levels of these SKUs, in the order in which they serve the destination.
    fn ranked_warehouses(
        &self,
        lines: &BTreeMap<Sku, i64>,
        destination: Option<&Region>,
    ) -> Vec<WarehouseId> {
        let levels = lines.keys().filter_map(|sku| self.skus.get(sku));
        let levels = levels.flat_map(|stock| &stock.warehouses);
        let found: BTreeSet<WarehouseId> = levels.map(|level| level.warehouse).collect();
        let mut ranked: Vec<WarehouseId> = found.into_iter().collect();
        if ranked.len() > 1 {
            ranked.sort_by_cached_key(|warehouse| {
                let site = self.sites.get(warehouse);
                let region = site.and_then(|site| site.region.as_ref()).zip(destination);
                let nearness =
                    region.map_or(Nearness::Elsewhere, |(here, there)| here.nearness(there));
                let priority = site.map_or(0, |site| site.priority);
                (Reverse(priority), Reverse(nearness), *warehouse)
            });
        }
        ranked
    }

    fn check_reserved(&self, allocations: &[Allocation]) -> Result<(), NotReserved> {
        let is_reserved = |allocation: &&Allocation| {
            let stock = self.skus.get(&allocation.sku);
            let found = stock.and_then(|stock| stock.in_warehouse(allocation.warehouse));
            found.is_some_and(|found| found.reserved >= allocation.quantity)
        };
        match allocations.iter().find(|allocation| !is_reserved(allocation)) {
            Some(allocation) => Err(NotReserved(allocation.clone())),
            None => Ok(()),
        }
    }

    /// Changes one level and records the movement, without any check. A SKU new to the warehouse starts at
    /// zero.
    fn apply(
        &mut self,
        place: &Allocation,
        kind: MovementKind,
        on_hand_delta: i64,
        reserved_delta: i64,
        order: Option<OrderId>,
    ) {
        let Some(SkuStock { warehouses, .. }) = self.skus.get_mut(&place.sku) else { return };
        let warehouse = place.warehouse;
        let index = warehouses.binary_search_by_key(&warehouse, |stock| stock.warehouse);
        let index = index.unwrap_or_else(|index| {
            warehouses.insert(index, WarehouseStock::empty(warehouse));
            index
        });
        let found = &mut warehouses[index];
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
        Allocation, LowStock, MAX_ON_HAND, Movement, MovementKind, NotReserved,
        ReservationDecision, ReservationRequest, Shortage, Site, SkuStock, Stock, StockChanges,
        StockRefusal, ThresholdChange, WarehouseStock,
    };

    fn sku(name: &str) -> Sku {
        name.parse().unwrap()
    }

    fn warehouse(number: u128) -> WarehouseId {
        Uuid::from_u128(number).into()
    }

    /// Stock of (SKU, pieces in warehouse 1, 2, …).
    fn stock(levels: &[(&str, &[i64])]) -> Stock {
        Stock::new(levels.iter().map(|(name, pieces)| {
            SkuStock {
                sku: sku(name),
                version: Version::FIRST,
                low_at: None,
                warehouses: (1..)
                    .zip(*pieces)
                    .map(|(n, on_hand)| WarehouseStock {
                        warehouse: warehouse(n),
                        on_hand: *on_hand,
                        reserved: 0,
                    })
                    .collect(),
            }
        }))
    }

    fn request(lines: &[(&str, i64)]) -> ReservationRequest {
        let lines = lines.iter().map(|(name, quantity)| (sku(name), *quantity)).collect();
        ReservationRequest { order: OrderId::new(), lines, destination: None }
    }

    fn allocation(name: &str, number: u128, quantity: i64) -> Allocation {
        Allocation { sku: sku(name), warehouse: warehouse(number), quantity }
    }

    fn reserved(decision: ReservationDecision) -> Vec<Allocation> {
        match decision {
            ReservationDecision::Reserved(allocations) => allocations,
            ReservationDecision::Rejected(shortages) => panic!("{shortages:?}"),
        }
    }

    /// The SKUs whose availability a change made different.
    fn changed_availability(stock: Stock) -> Vec<Sku> {
        let changes = stock.into_changes();
        let mut skus: Vec<Sku> = changes.changed_availability().into_iter().cloned().collect();
        skus.sort();
        skus
    }

    #[test]
    fn availability_changes_with_the_last_piece_and_the_first() {
        let levels: [(&str, &[i64]); 3] = [("A", &[2, 1]), ("B", &[5]), ("C", &[0])];
        let mut sold_out = stock(&levels);
        let allocations = reserved(sold_out.reserve(&request(&[("A", 3), ("B", 4)])));
        assert_eq!(changed_availability(sold_out.clone()), [sku("A")]);
        let mut returned = Stock::new(sold_out.into_changes().skus);
        returned.release(OrderId::new(), &allocations[..1]).unwrap();
        assert_eq!(changed_availability(returned), [sku("A")]);
        // A shipment of the last pieces changes nothing, nor does a batch that ends as it began.
        let mut shipped = stock(&levels);
        let order = OrderId::new();
        let allocations = reserved(shipped.reserve(&request(&[("A", 3)])));
        let mut shipped = Stock::new(shipped.into_changes().skus);
        shipped.deduct(order, &allocations).unwrap();
        assert!(changed_availability(shipped).is_empty());
        let mut unchanged = stock(&levels);
        let allocations = reserved(unchanged.reserve(&request(&[("B", 5)])));
        unchanged.release(order, &allocations).unwrap();
        unchanged.set(&sku("C"), warehouse(1), 4).unwrap();
        assert_eq!(changed_availability(unchanged), [sku("C")]);
    }

    #[test]
    fn a_sku_becomes_low_once_until_it_rises_again() {
        let setting = LowStock { default_threshold: 5 };
        let (a, here) = (sku("A"), warehouse(1));
        let mut level = stock(&[("A", &[8])]);
        // The threshold and whether the SKU becomes low.
        let mut becomes = |change: &dyn Fn(&mut Stock)| {
            change(&mut level);
            let changes = std::mem::take(&mut level).into_changes();
            let is_low = !changes.became_low(setting).is_empty();
            level = Stock::new(changes.skus);
            is_low
        };
        let set = |to: i64| {
            let (a, here) = (a.clone(), here);
            move |stock: &mut Stock| {
                stock.set(&a, here, to).unwrap();
            }
        };
        let threshold = |to: ThresholdChange| {
            let a = a.clone();
            move |stock: &mut Stock| stock.set_threshold(&a, to).unwrap()
        };
        assert!(!becomes(&set(6)));
        assert!(becomes(&set(5)));
        assert!(!becomes(&set(1)));
        assert!(!becomes(&set(6)));
        assert!(becomes(&set(0)));
        assert!(!becomes(&set(7)));
        assert!(becomes(&threshold(ThresholdChange::At(7))));
        assert!(!becomes(&threshold(ThresholdChange::At(9))));
        assert!(!becomes(&threshold(ThresholdChange::Remove)));
        assert!(becomes(&|stock: &mut Stock| {
            stock.set_threshold(&a, ThresholdChange::At(2)).unwrap();
            stock.set(&a, here, 2).unwrap();
        }));
        let unknown = stock(&[]).set_threshold(&a, ThresholdChange::Remove);
        assert_eq!(unknown, Err(StockRefusal::UnknownSku));
    }

    #[test]
    fn order_gets_all_lines_or_none() {
        let mut stock = stock(&[("A", &[5]), ("B", &[1])]);
        let decision = stock.reserve(&request(&[("A", 2), ("B", 2), ("C", 1)]));
        let shortages = vec![
            Shortage { sku: sku("B"), requested: 2, available: Some(1) },
            Shortage { sku: sku("C"), requested: 1, available: None },
        ];
        assert_eq!(decision, ReservationDecision::Rejected(shortages));
        assert_eq!(stock.into_changes(), StockChanges::default());
    }

    #[test]
    fn first_warehouse_with_all_lines_serves_the_order() {
        let mut stock = stock(&[("A", &[5, 5, 5]), ("B", &[0, 1, 9])]);
        let decision = stock.reserve(&request(&[("A", 1), ("B", 2)]));
        assert_eq!(reserved(decision), [allocation("A", 3, 1), allocation("B", 3, 2)]);
    }

    #[test]
    fn priority_then_region_then_age_choose_the_warehouse() {
        let site = |priority, region: Option<&str>| Site {
            priority,
            region: region.map(|region| region.parse().unwrap()),
        };
        let serves = |sites: &[Site], destination: Option<&str>| {
            let sites = (1..).zip(sites).map(|(n, site)| (warehouse(n), site.clone())).collect();
            let mut stock = stock(&[("A", &[5, 5, 5])]).with_sites(sites);
            let destination = destination.map(|region| region.parse().unwrap());
            let request = ReservationRequest { destination, ..request(&[("A", 5)]) };
            reserved(stock.reserve(&request))[0].warehouse.as_uuid().as_u128()
        };
        let near = [site(0, None), site(0, Some("CN")), site(0, Some("CN-SH"))];
        assert_eq!(serves(&near, Some("CN-SH")), 3);
        assert_eq!(serves(&near, Some("CN-ZJ")), 2);
        assert_eq!(serves(&near, Some("US")), 1);
        assert_eq!(serves(&near, None), 1);
        assert_eq!(serves(&[], Some("CN-SH")), 1);
        let important = [site(0, Some("CN-SH")), site(2, None), site(2, Some("CN"))];
        assert_eq!(serves(&important, Some("CN-SH")), 3);
        assert_eq!(serves(&important, None), 2);
        assert_eq!(serves(&[site(-1, Some("CN-SH")), site(0, None)], Some("CN-SH")), 2);
    }

    #[test]
    fn order_is_split_if_no_warehouse_has_all_lines() {
        let mut stock = stock(&[("A", &[2, 0, 2]), ("B", &[0, 3, 0])]);
        let decision = stock.reserve(&request(&[("A", 3), ("B", 1)]));
        assert_eq!(
            reserved(decision),
            [allocation("A", 1, 2), allocation("A", 3, 1), allocation("B", 2, 1)]
        );
    }

    #[test]
    fn unreserved_pieces_are_neither_released_nor_deducted() {
        let mut stock = stock(&[("A", &[5]), ("B", &[5])]);
        let request = request(&[("A", 2)]);
        let order = request.order;
        let allocations = reserved(stock.reserve(&request));
        let too_much = [allocations[0].clone(), allocation("B", 1, 1)];
        assert_eq!(stock.deduct(order, &too_much), Err(NotReserved(allocation("B", 1, 1))));
        assert_eq!(stock.release(order, &too_much), Err(NotReserved(allocation("B", 1, 1))));
        assert_eq!(stock.get(&sku("A")).unwrap().reserved(), 2);
        stock.deduct(order, &allocations).unwrap();
        assert_eq!(stock.release(order, &allocations), Err(NotReserved(allocations[0].clone())));
        let level = stock.get(&sku("A")).unwrap();
        assert_eq!((level.on_hand(), level.reserved(), level.available()), (3, 0, 3));
    }

    #[test]
    fn levels_never_fall_below_the_reserved_quantity() {
        let mut stock = stock(&[("A", &[5])]);
        stock.reserve(&request(&[("A", 3)]));
        let (a, here) = (sku("A"), warehouse(1));
        assert_eq!(stock.set(&a, here, 2), Err(StockRefusal::BelowReserved { reserved: 3 }));
        assert_eq!(stock.set(&a, here, MAX_ON_HAND + 1), Err(StockRefusal::TooMany));
        let insufficient = Err(StockRefusal::Insufficient { available: 2 });
        assert_eq!(stock.adjust(&a, here, -3), insufficient);
        assert_eq!(stock.adjust(&a, here, i64::MIN), insufficient);
        assert_eq!(stock.adjust(&a, here, i64::MAX), Err(StockRefusal::TooMany));
        assert_eq!(stock.set(&sku("X"), here, 1), Err(StockRefusal::UnknownSku));
        assert_eq!(stock.set(&a, here, 5), Ok(false));
        assert_eq!(stock.adjust(&a, here, -2), Ok(()));
        assert_eq!(stock.set(&a, warehouse(2), 7), Ok(true));
        assert_eq!(stock.get(&a).unwrap().available(), 7);
        let changes = stock.into_changes();
        let kinds: Vec<MovementKind> =
            changes.movements.iter().map(|movement| movement.kind).collect();
        assert_eq!(kinds, [MovementKind::Reserved, MovementKind::Adjusted, MovementKind::Set]);
        assert_eq!(changes.skus[0].version.get(), 2);
    }

    /// A change to the stock of three SKUs in three warehouses.
    #[derive(Debug, Clone)]
    enum Change {
        Reserve(Vec<(u8, i64)>),
        Release(prop::sample::Index),
        Deduct(prop::sample::Index),
        Set(u8, u128, i64),
        Adjust(u8, u128, i64),
    }

    fn any_change() -> impl Strategy<Value = Change> {
        let lines = prop::collection::vec((0u8..4, 1i64..12), 1..4);
        prop_oneof![
            4 => lines.prop_map(Change::Reserve),
            2 => any::<prop::sample::Index>().prop_map(Change::Release),
            2 => any::<prop::sample::Index>().prop_map(Change::Deduct),
            1 => (0u8..4, 1u128..4, -3i64..30).prop_map(|(sku, place, to)| Change::Set(sku, place, to)),
            1 => (0u8..4, 1u128..4, -20i64..20).prop_map(|(sku, place, by)| Change::Adjust(sku, place, by)),
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

    /// Applies one change. `open` holds the reservations that were neither released nor deducted.
    fn apply(stock: &mut Stock, open: &mut Vec<(OrderId, Vec<Allocation>)>, change: Change) {
        match change {
            Change::Reserve(lines) => {
                let lines = lines.iter().map(|(name, n)| (sku(&name.to_string()), *n)).collect();
                let request =
                    ReservationRequest { order: OrderId::new(), lines, destination: None };
                if let ReservationDecision::Reserved(allocations) = stock.reserve(&request) {
                    let mut given: BTreeMap<Sku, i64> = BTreeMap::new();
                    for allocation in &allocations {
                        *given.entry(allocation.sku.clone()).or_default() += allocation.quantity;
                    }
                    assert_eq!(given, request.lines, "exactly the requested pieces are reserved");
                    open.push((request.order, allocations));
                }
            }
            Change::Release(which) if !open.is_empty() => {
                let (order, allocations) = open.swap_remove(which.index(open.len()));
                stock.release(order, &allocations).unwrap();
            }
            Change::Deduct(which) if !open.is_empty() => {
                let (order, allocations) = open.swap_remove(which.index(open.len()));
                stock.deduct(order, &allocations).unwrap();
            }
            Change::Release(_) | Change::Deduct(_) => {}
            Change::Set(name, place, to) => {
                // A negative level is always below the reserved quantity.
                let done = stock.set(&sku(&name.to_string()), warehouse(place), to);
                assert!(to >= 0 || done.is_err());
            }
            Change::Adjust(name, place, by) => {
                let _ = stock.adjust(&sku(&name.to_string()), warehouse(place), by);
            }
        }
    }

    proptest! {
        /// After every change: no level is negative or oversold, the reserved quantity equals the open
        /// reservations, and the movements add up to the levels.
        #[test]
        fn levels_movements_and_reservations_always_agree(
            opening in any_stock(),
            changes in prop::collection::vec(any_change(), 0..60),
        ) {
            let mut stock = opening.clone();
            let mut open = Vec::new();
            for change in changes {
                apply(&mut stock, &mut open, change);
                for level in stock.skus.values() {
                    for one in &level.warehouses {
                        prop_assert!(0 <= one.reserved && one.reserved <= one.on_hand, "{one:?}");
                    }
                    let held: i64 = open.iter().flat_map(|(_, allocations)| allocations)
                        .filter(|allocation| allocation.sku == level.sku)
                        .map(|allocation| allocation.quantity)
                        .sum();
                    prop_assert_eq!(level.reserved(), held);
                }
            }
            for level in stock.skus.values() {
                let moved = |delta: fn(&Movement) -> i64| -> i64 {
                    stock.movements.iter().filter(|movement| movement.sku == level.sku).map(delta).sum()
                };
                let before = opening.get(&level.sku).unwrap();
                prop_assert_eq!(before.on_hand() + moved(|movement| movement.on_hand_delta), level.on_hand());
                prop_assert_eq!(moved(|movement| movement.reserved_delta), level.reserved());
            }
        }

        /// A rejected order changes nothing, and its shortages are true.
        #[test]
        fn rejection_changes_nothing(
            opening in any_stock(),
            lines in prop::collection::vec((0u8..4, 1i64..40), 1..4),
        ) {
            let lines = lines.iter().map(|(name, n)| (sku(&name.to_string()), *n)).collect();
            let request = ReservationRequest { order: OrderId::new(), lines, destination: None };
            let mut stock = opening.clone();
            if let ReservationDecision::Rejected(shortages) = stock.reserve(&request) {
                prop_assert!(!shortages.is_empty());
                for shortage in shortages {
                    let available = opening.get(&shortage.sku).map(SkuStock::available);
                    prop_assert_eq!(available, shortage.available);
                    prop_assert!(available.unwrap_or(0) < shortage.requested);
                }
                prop_assert_eq!(stock.into_changes(), StockChanges::default());
            } else {
                let available = |sku: &Sku| opening.get(sku).map_or(0, SkuStock::available);
                prop_assert!(request.lines.iter().all(|(sku, n)| available(sku) >= *n));
            }
        }
    }
}
