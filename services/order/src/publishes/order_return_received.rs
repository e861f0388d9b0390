//! `order.return_received.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderReturnReceivedV1;
use vocabulary::OrderId;

use super::parcel_lines;
use crate::domain::ReturnedPieces;

pub(super) fn order_return_received(
    order: OrderId,
    pieces: &ReturnedPieces,
    at: DateTime<Utc>,
) -> OrderReturnReceivedV1 {
    OrderReturnReceivedV1 {
        order_id: order,
        return_id: pieces.id,
        warehouse_id: pieces.warehouse,
        restocked: parcel_lines(&pieces.restocked),
        written_off: parcel_lines(&pieces.written_off),
        received_at: at,
    }
}
