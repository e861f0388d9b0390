//! `GET /v1/orders/{id}/money`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::Caller;
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{Currency, OrderId, PaymentId, RefundId};

use super::access::readable_status;
use crate::storage::order_money::{self, MoneyEntry};

/// What came in and went out for an order, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderMoney)]
pub(crate) struct MoneyBody {
    items: Vec<MoneyItem>,
    /// What the shop has: captured and not refunded. `unmatched` money is not in it. In minor units.
    balance: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct MoneyItem {
    at: DateTime<Utc>,
    /// `captured`: a payment was approved. `refunded`: it was paid back. `unmatched`: a payment of another amount than the
    /// total, which settles nothing.
    #[schema(example = "captured")]
    kind: String,
    payment_id: PaymentId,
    /// The part of the payment that was paid back: the id of a return. Absent for all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_id: Option<RefundId>,
    /// In minor units; negative for what was paid back.
    #[schema(example = 12900)]
    amount: i64,
    currency: Currency,
}

impl From<MoneyEntry> for MoneyItem {
    fn from(entry: MoneyEntry) -> Self {
        let MoneyEntry { at, kind, payment, refund, amount, currency } = entry;
        Self { at, kind, payment_id: payment, refund_id: refund, amount, currency }
    }
}

/// Get the money that moved for an order
///
/// A ledger: entries are only appended. Of an order that is paid and not cancelled the balance is its total, without what was paid back
/// for returns; of any other order it is 0.
#[utoipa::path(
    get, path = "/v1/orders/{id}/money", tag = "orders", params(("id" = OrderId, Path)),
    responses((status = 200, body = MoneyBody)), security(("bearer" = ["orders:read"]))
)]
pub(crate) async fn get_order_money(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<OrderId>,
) -> Result<Json<MoneyBody>, Problem> {
    readable_status(&outbox, &caller, id).await?;
    let entries = order_money::list(&mut *outbox.pool().acquire().await?, id).await?;
    let counted = entries.iter().filter(|entry| entry.kind != "unmatched");
    let balance = counted.map(|entry| entry.amount).sum();
    Ok(Json(MoneyBody { items: entries.into_iter().map(MoneyItem::from).collect(), balance }))
}
