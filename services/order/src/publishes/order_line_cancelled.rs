//! `order.line_cancelled.v1`.

use contracts::order::{CancelledPieces, OrderLineCancelledV1};

use crate::domain::{self, LineCancellation};

pub(super) fn order_line_cancelled(cancellation: &LineCancellation) -> OrderLineCancelledV1 {
    let pieces = |pieces: &domain::CancelledPieces| CancelledPieces {
        warehouse_id: pieces.warehouse,
        quantity: pieces.quantity,
    };
    OrderLineCancelledV1 {
        order_id: cancellation.order,
        cancellation_id: cancellation.id,
        sku: cancellation.sku.clone(),
        pieces: cancellation.pieces.iter().map(pieces).collect(),
        cancelled_at: cancellation.cancelled_at,
    }
}
