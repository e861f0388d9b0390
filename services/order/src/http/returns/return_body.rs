//! A return in JSON.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{Money, OrderId, Quantity, ReturnId, Sku, WarehouseId};

use crate::{
    domain::{OrderNumber, OrderReturn, ReturnLine, ReturnState},
    storage::returns::{RefundView, ReturnView},
};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Return)]
pub(crate) struct ReturnBody {
    id: ReturnId,
    order_id: OrderId,
    /// The number of the order, which customers write on their parcels.
    #[schema(example = "10604-22390-24878")]
    order_number: String,
    /// `requested`: the customer sends it. `received`: the warehouse has it. `refused`: the warehouse does not accept it.
    #[schema(example = "requested")]
    state: &'static str,
    /// Sorted by SKU.
    lines: Vec<ReturnLineBody>,
    /// Why it was refused: `not_received`, `wrong_item`, `used`, `not_returnable` or `withdrawn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'static str>,
    /// Where the pieces are, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    warehouse_id: Option<WarehouseId>,
    /// What is paid back; absent until the return is received, and if nothing was paid for the pieces.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<RefundBody>,
    requested_at: DateTime<Utc>,
    /// When it was received or refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReturnLine)]
struct ReturnLineBody {
    sku: Sku,
    /// What the customer announced.
    quantity: Quantity,
    #[schema(example = "does_not_fit")]
    reason: &'static str,
    /// What arrived and can be sold again.
    restocked: u32,
    /// What arrived and cannot be sold any more.
    written_off: u32,
}

/// A part of the payment that is paid back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReturnRefund)]
struct RefundBody {
    amount: Money,
    /// `pending`: the payment provider is asked for it. `refunded`: it is paid back.
    #[schema(example = "refunded")]
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refunded_at: Option<DateTime<Utc>>,
}

impl ReturnBody {
    pub(super) const fn id(&self) -> ReturnId {
        self.id
    }
}

impl From<ReturnView> for ReturnBody {
    fn from(ReturnView { order_return, refund }: ReturnView) -> Self {
        let OrderReturn { id, order, lines, requested_at, state } = order_return;
        let (decided_at, warehouse_id, refusal) = match state {
            ReturnState::Requested => (None, None, None),
            ReturnState::Received { at, warehouse } => (Some(at), warehouse, None),
            ReturnState::Refused { at, refusal } => (Some(at), None, Some(refusal.as_str())),
        };
        Self {
            id,
            order_id: order,
            order_number: OrderNumber::of(order).to_string(),
            state: state.as_str(),
            lines: lines.into_iter().map(ReturnLineBody::from).collect(),
            refusal,
            warehouse_id,
            refund: refund.map(RefundBody::from),
            requested_at,
            decided_at,
        }
    }
}

impl From<ReturnLine> for ReturnLineBody {
    fn from(line: ReturnLine) -> Self {
        let ReturnLine { sku, quantity, reason, restocked, written_off } = line;
        Self { sku, quantity, reason: reason.as_str(), restocked, written_off }
    }
}

impl From<RefundView> for RefundBody {
    fn from(RefundView { amount, refunded_at }: RefundView) -> Self {
        let state = if refunded_at.is_some() { "refunded" } else { "pending" };
        Self { amount, state, refunded_at }
    }
}
