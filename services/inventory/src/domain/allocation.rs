//! The rule that chooses the warehouses of an order.

use std::collections::BTreeMap;

use vocabulary::{Sku, WarehouseId};

use super::Allocation;

/// Takes the pieces of an order from as few warehouses as this rule finds, because each is a parcel of its own:
///
/// 1. The warehouse that has the most of what is still missing serves what it has. So one that has everything serves the whole
///    order.
/// 2. Of several, the first in `ranked` serves.
/// 3. Repeat until nothing is missing.
///
/// The result is sorted by SKU and warehouse. What no warehouse has is left out; the caller knows that there is enough.
pub(super) fn allocate(
    lines: &BTreeMap<Sku, i64>,
    ranked: &[WarehouseId],
    available: impl Fn(&Sku, WarehouseId) -> i64,
) -> Vec<Allocation> {
    let mut missing: BTreeMap<&Sku, i64> = lines.iter().map(|(sku, n)| (sku, *n)).collect();
    let mut allocations = Vec::with_capacity(lines.len());
    let mut unused = ranked.to_vec();
    while !missing.is_empty() {
        let all: i64 = missing.values().sum();
        let mut best: Option<(WarehouseId, i64)> = None;
        for warehouse in &unused {
            let served = missing.iter().map(|(sku, n)| available(sku, *warehouse).clamp(0, *n));
            let served = served.sum();
            if served > best.map_or(0, |(_, most)| most) {
                best = Some((*warehouse, served));
            }
            if served == all {
                break;
            }
        }
        let Some((warehouse, _)) = best else { break };
        unused.retain(|other| *other != warehouse);
        missing.retain(|sku, n| {
            let quantity = available(sku, warehouse).clamp(0, *n);
            if quantity > 0 {
                allocations.push(Allocation { sku: (*sku).clone(), warehouse, quantity });
                *n -= quantity;
            }
            *n > 0
        });
    }
    allocations.sort_by(|a, b| (&a.sku, a.warehouse).cmp(&(&b.sku, b.warehouse)));
    allocations
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use uuid::Uuid;
    use vocabulary::{Sku, WarehouseId};

    use super::allocate;
    use crate::domain::Allocation;

    fn sku(name: &str) -> Sku {
        name.parse().unwrap()
    }

    fn warehouse(number: usize) -> WarehouseId {
        Uuid::from_u128(u128::try_from(number).unwrap() + 1).into()
    }

    /// Allocates `lines` over warehouses in this order; `levels` has what each holds of A, B and C.
    fn allocate_from(lines: &[i64], levels: &[[i64; 3]]) -> Vec<Allocation> {
        let names = ["A", "B", "C"];
        let lines = names.into_iter().zip(lines).filter(|(_, n)| **n > 0);
        let lines: BTreeMap<Sku, i64> = lines.map(|(name, n)| (sku(name), *n)).collect();
        let ranked: Vec<WarehouseId> = (0..levels.len()).map(warehouse).collect();
        allocate(&lines, &ranked, |wanted, place| {
            let row = ranked.iter().position(|warehouse| *warehouse == place).unwrap();
            levels[row][names.iter().position(|name| sku(name) == *wanted).unwrap()]
        })
    }

    fn places(allocations: &[Allocation]) -> Vec<(&str, u128, i64)> {
        let place = |one: &Allocation| one.warehouse.as_uuid().as_u128() - 1;
        allocations.iter().map(|one| (one.sku.as_str(), place(one), one.quantity)).collect()
    }

    #[test]
    fn the_first_warehouse_with_everything_serves_the_order() {
        let levels = [[9, 0, 9], [2, 2, 0], [5, 5, 5]];
        assert_eq!(places(&allocate_from(&[2, 2, 0], &levels)), [("A", 1, 2), ("B", 1, 2)]);
    }

    #[test]
    fn an_order_is_split_over_few_warehouses() {
        // Line by line it would be three parcels: A from 0, B from 1, C from 2.
        let levels = [[1, 0, 0], [1, 3, 0], [3, 0, 4]];
        let split = allocate_from(&[2, 3, 4], &levels);
        assert_eq!(places(&split), [("A", 2, 2), ("B", 1, 3), ("C", 2, 4)]);
        let shared = allocate_from(&[5, 0, 0], &[[2, 0, 0], [4, 0, 0]]);
        assert_eq!(places(&shared), [("A", 0, 1), ("A", 1, 4)]);
    }

    proptest! {
        /// Exactly the requested pieces, none that a warehouse does not have, and one warehouse if one has everything.
        #[test]
        fn allocations_are_complete_and_available(
            lines in prop::collection::vec(0i64..6, 3),
            levels in prop::collection::vec([0i64..8, 0..8, 0..8], 1..6),
        ) {
            let enough = (0..3).all(|at| lines[at] <= levels.iter().map(|level| level[at]).sum());
            prop_assume!(enough && lines.iter().any(|n| *n > 0));
            let allocations = allocate_from(&lines, &levels);
            let given_from: BTreeSet<(&str, u128)> =
                places(&allocations).into_iter().map(|(name, place, _)| (name, place)).collect();
            prop_assert_eq!(given_from.len(), allocations.len(), "a level is used once");
            let mut given: BTreeMap<&str, i64> = BTreeMap::new();
            for (name, place, quantity) in places(&allocations) {
                let at = ["A", "B", "C"].iter().position(|other| *other == name).unwrap();
                prop_assert!((1..=levels[usize::try_from(place).unwrap()][at]).contains(&quantity));
                *given.entry(name).or_default() += quantity;
            }
            let wanted = ["A", "B", "C"].into_iter().zip(lines.iter().copied()).filter(|(_, n)| *n > 0);
            prop_assert_eq!(given, wanted.collect::<BTreeMap<_, _>>());
            let used: BTreeSet<u128> = places(&allocations).into_iter().map(|(_, place, _)| place).collect();
            let whole = levels.iter().position(|level| (0..3).all(|at| level[at] >= lines[at]));
            if let Some(first) = whole {
                prop_assert_eq!(used, BTreeSet::from([u128::try_from(first).unwrap()]));
            }
        }
    }
}
