//! `stock.released.v1`: the reserved pieces of an order are available again.

use chrono::{DateTime, Utc};
use contracts::inventory::StockReleasedV1;
use vocabulary::OrderId;

pub(crate) const fn stock_released(
    order_id: OrderId,
    released_at: DateTime<Utc>,
) -> StockReleasedV1 {
    StockReleasedV1 { order_id, released_at }
}
