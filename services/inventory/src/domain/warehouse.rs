//! Warehouses: the places that hold stock.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use vocabulary::WarehouseId;

use super::Region;

/// The warehouse of a request that names none. The first migration created it, so its id sorts first.
pub(crate) const DEFAULT_WAREHOUSE: Uuid =
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

/// The maximum number of warehouses. Reserving an order looks at each of them.
pub(crate) const MAX_WAREHOUSES: i64 = 100;

/// A place that holds stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warehouse {
    /// Ids sort by creation time.
    pub(crate) id: WarehouseId,
    /// Unique among all warehouses.
    pub(crate) name: String,
    pub(crate) site: Site,
    pub(crate) opened_at: DateTime<Utc>,
}

/// What decides which of several warehouses serves an order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Site {
    /// Higher ones serve first.
    pub(crate) priority: i32,
    /// Where it stands, if that matters.
    pub(crate) region: Option<Region>,
}

impl Warehouse {
    /// Whether requests that name no warehouse use this one.
    pub(crate) fn is_default(&self) -> bool {
        self.id.as_uuid() == DEFAULT_WAREHOUSE
    }
}

#[cfg(test)]
mod tests {
    use vocabulary::WarehouseId;

    use super::DEFAULT_WAREHOUSE;

    #[test]
    fn default_warehouse_sorts_before_any_other() {
        assert_eq!(DEFAULT_WAREHOUSE.to_string(), "01900000-0000-7000-8000-000000000001");
        assert!(DEFAULT_WAREHOUSE < WarehouseId::new().as_uuid());
    }
}
