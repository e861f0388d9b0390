//! The response body for a warehouse.

use chrono::{DateTime, Utc};
use serde::Serialize;
use vocabulary::WarehouseId;

use crate::domain::Warehouse;

/// A place that holds stock.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Warehouse)]
pub(super) struct WarehouseView {
    id: WarehouseId,
    name: String,
    /// Whether requests that name no warehouse use this one.
    default: bool,
    opened_at: DateTime<Utc>,
}

impl From<Warehouse> for WarehouseView {
    fn from(warehouse: Warehouse) -> Self {
        let default = warehouse.is_default();
        let Warehouse { id, name, opened_at } = warehouse;
        Self { id, name, default, opened_at }
    }
}
