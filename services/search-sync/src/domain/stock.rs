//! Stock of SKUs. Search only needs to know whether any is available.

use std::collections::{BTreeMap, BTreeSet};

use vocabulary::{Sku, Version};

/// The stock of a SKU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkuStock {
    /// Pieces that shoppers can order.
    pub available: i64,
    /// Increases with every stock movement.
    pub version: Version,
}

impl SkuStock {
    const fn is_available(self) -> bool {
        self.available > 0
    }
}

/// The result of a batch of stock events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StockUpdate {
    /// The stock to write, each SKU once, sorted.
    pub(crate) newer: Vec<(Sku, SkuStock)>,
    /// The SKUs that ran out or came back; only these can change search results.
    pub(crate) availability_changed: Vec<Sku>,
    /// How many events were not newer than the known stock.
    pub(crate) skipped: usize,
}

/// Merges the `received` stock into the `known` stock.
pub(crate) fn merge_stock(
    known: &BTreeMap<Sku, SkuStock>,
    received: impl IntoIterator<Item = (Sku, SkuStock)>,
) -> StockUpdate {
    let mut newer: BTreeMap<Sku, SkuStock> = BTreeMap::new();
    let mut skipped = 0;
    for (sku, stock) in received {
        let current = newer.get(&sku).or_else(|| known.get(&sku));
        if current.is_some_and(|current| current.version >= stock.version) {
            skipped += 1;
        } else {
            newer.insert(sku, stock);
        }
    }
    let was_available = |sku: &Sku| known.get(sku).is_some_and(|stock| stock.is_available());
    let changed: BTreeSet<&Sku> = newer
        .iter()
        .filter(|(sku, stock)| stock.is_available() != was_available(sku))
        .map(|(sku, _)| sku)
        .collect();
    let availability_changed = changed.into_iter().cloned().collect();
    StockUpdate { newer: newer.into_iter().collect(), availability_changed, skipped }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use vocabulary::{Sku, Version};

    use super::{SkuStock, merge_stock};

    fn stock(available: i64, version: i64) -> SkuStock {
        SkuStock { available, version: Version::try_from(version).unwrap() }
    }

    fn sku(name: &str) -> Sku {
        name.parse().unwrap()
    }

    #[test]
    fn only_newer_stock_changes_availability() {
        let known = BTreeMap::from([
            (sku("A"), stock(5, 3)),
            (sku("B"), stock(0, 3)),
            (sku("C"), stock(1, 3)),
        ]);
        let received = [
            (sku("A"), stock(0, 2)),
            (sku("A"), stock(4, 4)),
            (sku("B"), stock(7, 4)),
            (sku("C"), stock(0, 4)),
            (sku("C"), stock(2, 5)),
            (sku("D"), stock(0, 1)),
            (sku("E"), stock(1, 1)),
        ];
        let update = merge_stock(&known, received);
        let newer = [
            (sku("A"), stock(4, 4)),
            (sku("B"), stock(7, 4)),
            (sku("C"), stock(2, 5)),
            (sku("D"), stock(0, 1)),
            (sku("E"), stock(1, 1)),
        ];
        assert_eq!(update.newer, newer);
        assert_eq!(update.availability_changed, [sku("B"), sku("E")]);
        assert_eq!(update.skipped, 1);
    }
}
