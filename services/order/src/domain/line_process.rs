//! Cancels pieces of a line of a paid order before it is shipped.

use chrono::{DateTime, Utc};
use vocabulary::{InvalidMoney, Money, Quantity, RefundId, Sku};

use super::{
    line_cancellation::LineCancellation,
    order::Order,
    status::OrderStatus,
    transition::{OrderEventKind, Transition},
};

/// Why pieces cannot be cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LineNotCancellable {
    #[error("the order is {0}{partly}", partly = if *.1 { " and partly shipped" } else { "" })]
    Status(OrderStatus, bool),
    #[error("the order has no such line")]
    UnknownLine,
    #[error("the line has {0} pieces")]
    TooMany(u32),
    /// The whole order can be cancelled instead.
    #[error("nothing would be left of the order")]
    NothingLeft,
    #[error(transparent)]
    Money(#[from] InvalidMoney),
}

/// The order without the pieces, and what is paid back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CancelledLine {
    pub(crate) transition: Transition,
    pub(crate) cancellation: LineCancellation,
    pub(crate) refund: Option<Money>,
}

/// Cancels `quantity` pieces of a line, or all that are left of it. What they cost is paid back; promotions are not calculated again.
pub(crate) fn cancel_line(
    order: Order,
    sku: &Sku,
    quantity: Option<Quantity>,
    id: RefundId,
    now: DateTime<Utc>,
) -> Result<CancelledLine, LineNotCancellable> {
    let has_begun = order.fulfilment().has_begun();
    if order.status() != OrderStatus::Confirmed || has_begun {
        return Err(LineNotCancellable::Status(
            order.status(),
            has_begun && order.status() == OrderStatus::Confirmed,
        ));
    }
    let line = order.lines.iter().find(|line| line.sku == *sku);
    let kept = line.ok_or(LineNotCancellable::UnknownLine)?.kept();
    let quantity = match quantity {
        Some(quantity) => quantity,
        None => Quantity::new(kept).map_err(|_| LineNotCancellable::TooMany(kept))?,
    };
    if quantity.get() > kept {
        return Err(LineNotCancellable::TooMany(kept));
    }
    let all: u64 = order.lines.iter().map(|line| u64::from(line.kept())).sum();
    if all == u64::from(quantity.get()) {
        return Err(LineNotCancellable::NothingLeft);
    }
    let worth_before = order.worth_of_refunds();
    let (order, pieces) = order.cancel_pieces(sku, quantity);
    let refund = match &order.costs {
        Some(costs) => Some(Money::new(order.worth_of_refunds() - worth_before, costs.currency())?)
            .filter(|refund| refund.amount() > 0),
        None => None,
    };
    let cancellation =
        LineCancellation { id, order: order.id, sku: sku.clone(), pieces, cancelled_at: now };
    let kind = OrderEventKind::LineCancelled(cancellation.clone());
    let transition = Transition::changed(order).with_event(now, kind);
    Ok(CancelledLine { transition, cancellation, refund })
}
