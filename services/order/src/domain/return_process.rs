//! The way of a return, from the announcement to the decision of the warehouse.

use std::time::Duration;

use chrono::{DateTime, Utc};
use vocabulary::{InvalidMoney, Money, Quantity, Sku, WarehouseId};

use super::{
    order::Order,
    order_return::{
        NewReturn, OrderReturn, PartRefund, ReturnLine, ReturnReason, ReturnRefusal, ReturnState,
        ReturnedPieces,
    },
    parcel::ParcelLine,
    status::OrderStatus,
    transition::{OrderEventKind, Transition},
};

/// The maximum number of returns of an order. Each decision reads all of them.
pub(crate) const MAX_RETURNS: usize = 100;

/// Until when returns are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReturnTerms {
    /// The time after the delivery of the last parcel. `None` for the shop itself, which may accept any return.
    pub(crate) window: Option<Duration>,
    /// When the last parcel has arrived, if all have.
    pub(crate) delivered_at: Option<DateTime<Utc>>,
}

/// More pieces of a SKU than there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExcessPieces {
    pub(crate) sku: Sku,
    pub(crate) requested: u32,
    /// What is possible.
    pub(crate) possible: u32,
}

/// Why pieces cannot be sent back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReturnNotPossible {
    #[error("no piece of the order can come back: it is {0}")]
    Status(OrderStatus),
    #[error("returns were accepted until {0}")]
    WindowClosed(DateTime<Utc>),
    #[error("more pieces than were shipped and are not in a return already")]
    Excess(Vec<ExcessPieces>),
    #[error("the order has {MAX_RETURNS} returns")]
    TooManyReturns,
}

/// A decision about a return, with the return afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnDecision {
    pub(crate) transition: Transition,
    pub(crate) order_return: OrderReturn,
    /// What is paid back because of it, if anything.
    pub(crate) refund: Option<Money>,
}

/// A customer announces that pieces come back. `earlier` are all returns of the order.
pub(crate) fn request_return(
    order: Order,
    earlier: &[OrderReturn],
    new: NewReturn,
    terms: ReturnTerms,
    now: DateTime<Utc>,
) -> Result<ReturnDecision, ReturnNotPossible> {
    if !order.status().is_paid() || !order.fulfilment().has_begun() {
        return Err(ReturnNotPossible::Status(order.status()));
    }
    if let (Some(window), Some(delivered_at)) = (terms.window, terms.delivered_at)
        && delivered_at + window < now
    {
        return Err(ReturnNotPossible::WindowClosed(delivered_at + window));
    }
    if earlier.len() >= MAX_RETURNS {
        return Err(ReturnNotPossible::TooManyReturns);
    }
    let excess = new.lines.iter().filter_map(|(sku, quantity, _)| {
        let (requested, possible) = (quantity.get(), returnable(&order, earlier, sku));
        (requested > possible).then(|| ExcessPieces { sku: sku.clone(), requested, possible })
    });
    let excess: Vec<ExcessPieces> = excess.collect();
    if !excess.is_empty() {
        return Err(ReturnNotPossible::Excess(excess));
    }
    let line = |(sku, quantity, reason): &(Sku, Quantity, ReturnReason)| ReturnLine {
        sku: sku.clone(),
        quantity: *quantity,
        reason: *reason,
        restocked: 0,
        written_off: 0,
    };
    let order_return = OrderReturn {
        id: new.id,
        order: order.id,
        lines: new.lines.iter().map(line).collect(),
        requested_at: now,
        state: ReturnState::Requested,
    };
    let kind = OrderEventKind::ReturnRequested(new);
    let transition = Transition::unchanged(order).with_event(now, kind);
    Ok(ReturnDecision { transition, order_return, refund: None })
}

/// How many pieces of a SKU may come back: those that were shipped, without those that have come back or are announced.
pub(crate) fn returnable(order: &Order, returns: &[OrderReturn], sku: &Sku) -> u32 {
    let announced = returns.iter().filter(|open| open.state == ReturnState::Requested);
    let announced = announced.flat_map(|open| &open.lines).filter(|line| line.sku == *sku);
    let announced: u32 = announced.map(|line| line.quantity.get()).sum();
    let line = order.lines.iter().find(|line| line.sku == *sku);
    let returned = line.map_or(0, |line| line.returned);
    order.shipped_pieces(sku).saturating_sub(announced + returned)
}

/// What arrived in a warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnReceipt {
    /// Where the pieces are. Default: where the order came from, if that was one warehouse.
    pub(crate) warehouse: Option<WarehouseId>,
    /// Each SKU occurs once, with at least one piece.
    pub(crate) lines: Vec<ReceivedLine>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceivedLine {
    pub(crate) sku: Sku,
    pub(crate) restocked: u32,
    pub(crate) written_off: u32,
}

/// Why the decision of a warehouse about a return is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReturnDecisionRefused {
    #[error("the return is {0} already")]
    Closed(&'static str),
    #[error("more pieces than were announced")]
    Excess(Vec<ExcessPieces>),
    #[error(transparent)]
    Money(#[from] InvalidMoney),
}

/// The warehouse has received a return. What did not arrive may be announced again.
pub(crate) fn receive_return(
    order: Order,
    announced: OrderReturn,
    receipt: ReturnReceipt,
    now: DateTime<Utc>,
) -> Result<ReturnDecision, ReturnDecisionRefused> {
    announced.require_open()?;
    let announced_of = |sku: &Sku| {
        let line = announced.lines.iter().find(|line| line.sku == *sku);
        line.map_or(0, |line| line.quantity.get())
    };
    let excess = receipt.lines.iter().filter_map(|line| {
        let (requested, possible) =
            (line.restocked.saturating_add(line.written_off), announced_of(&line.sku));
        (requested > possible).then(|| ExcessPieces { sku: line.sku.clone(), requested, possible })
    });
    let excess: Vec<ExcessPieces> = excess.collect();
    if !excess.is_empty() {
        return Err(ReturnDecisionRefused::Excess(excess));
    }
    let warehouse = receipt.warehouse.or_else(|| match &*order.parcel_list() {
        [only] => only.warehouse,
        _ => None,
    });
    let mut received = announced;
    received.state = ReturnState::Received { at: now, warehouse };
    for ReceivedLine { sku, restocked, written_off } in receipt.lines {
        for line in received.lines.iter_mut().filter(|line| line.sku == sku) {
            (line.restocked, line.written_off) = (restocked, written_off);
        }
    }
    let before = order.status();
    let worth_before = order.worth_of_refunds();
    let order = order.take_back(&received.received_pieces());
    let refund = match &order.costs {
        Some(costs) => Some(Money::new(order.worth_of_refunds() - worth_before, costs.currency())?)
            .filter(|refund| refund.amount() > 0),
        None => None,
    };
    let changed = order.status() != before;
    let kind = OrderEventKind::ReturnReceived(received.pieces(warehouse));
    let transition = Transition { changed, ..Transition::unchanged(order) }.with_event(now, kind);
    Ok(ReturnDecision { transition, order_return: received, refund })
}

/// The warehouse does not accept a return.
pub(crate) fn refuse_return(
    order: Order,
    announced: OrderReturn,
    refusal: ReturnRefusal,
    now: DateTime<Utc>,
) -> Result<ReturnDecision, ReturnDecisionRefused> {
    announced.require_open()?;
    let state = ReturnState::Refused { at: now, refusal };
    let order_return = OrderReturn { state, ..announced };
    let kind = OrderEventKind::ReturnRefused(order_return.id, refusal);
    let transition = Transition::unchanged(order).with_event(now, kind);
    Ok(ReturnDecision { transition, order_return, refund: None })
}

impl OrderReturn {
    fn require_open(&self) -> Result<(), ReturnDecisionRefused> {
        match self.state {
            ReturnState::Requested => Ok(()),
            ReturnState::Received { .. } | ReturnState::Refused { .. } => {
                Err(ReturnDecisionRefused::Closed(self.state.as_str()))
            }
        }
    }

    /// How many pieces of each SKU arrived.
    fn received_pieces(&self) -> Vec<(Sku, u32)> {
        let lines = self.lines.iter();
        lines.map(|line| (line.sku.clone(), line.restocked + line.written_off)).collect()
    }

    fn pieces(&self, warehouse: Option<WarehouseId>) -> ReturnedPieces {
        let part = |pieces_of: fn(&ReturnLine) -> u32| {
            let lines = self.lines.iter().filter_map(|line| {
                let quantity = Quantity::new(pieces_of(line)).ok()?;
                Some(ParcelLine { sku: line.sku.clone(), quantity })
            });
            lines.collect()
        };
        ReturnedPieces {
            id: self.id,
            warehouse,
            restocked: part(|line| line.restocked),
            written_off: part(|line| line.written_off),
        }
    }
}

impl Transition {
    /// Adds that a part of the payment is paid back, or that the payment provider must do it.
    pub(crate) fn with_part_refund(
        self,
        refund: PartRefund,
        is_made: bool,
        now: DateTime<Utc>,
    ) -> Self {
        let kind = if is_made {
            OrderEventKind::PartRefunded(refund)
        } else {
            OrderEventKind::PartRefundRequested(refund)
        };
        self.with_event(now, kind)
    }
}

/// The payment provider has paid back a part of a payment.
pub(crate) fn record_part_refund(
    order: Order,
    refund: PartRefund,
    now: DateTime<Utc>,
) -> Transition {
    Transition::unchanged(order).with_part_refund(refund, true, now)
}
