//! The ledger of money per order. Triggers on `payment` and `order_refund` append to it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use vocabulary::{Currency, OrderId, PaymentId, RefundId};

use super::undecodable;

/// The maximum number of entries of one read; an order rarely has more than two.
const MAX_ENTRIES: i64 = 1_000;

/// Money that moved for an order.
#[derive(Debug, Clone)]
pub(crate) struct MoneyEntry {
    pub(crate) at: DateTime<Utc>,
    /// `captured`, `refunded` or `unmatched`.
    pub(crate) kind: String,
    pub(crate) payment: PaymentId,
    /// The part of the payment that was paid back; `None` for all of it.
    pub(crate) refund: Option<RefundId>,
    /// In minor units; negative for what was paid back.
    pub(crate) amount: i64,
    pub(crate) currency: Currency,
}

/// The entries of an order, oldest first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    order: OrderId,
) -> Result<Vec<MoneyEntry>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select at, kind, payment_id, refund_id, amount, currency
        from order_money where order_id = $1
        order by position
        limit $2
        "#,
        order.as_uuid(),
        MAX_ENTRIES,
    )
    .fetch_all(connection)
    .await?;
    let entries = rows.into_iter().map(|row| {
        Ok(MoneyEntry {
            at: row.at,
            kind: row.kind,
            payment: row.payment_id.into(),
            refund: row.refund_id.map(RefundId::from),
            amount: row.amount,
            currency: row.currency.parse().map_err(undecodable)?,
        })
    });
    entries.collect()
}
