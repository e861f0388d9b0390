//! Refunds of parts of payments. Triggers append those that are made to the ledger of money.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use vocabulary::{Money, OrderId, PaymentId, RefundId};

use super::money;
use crate::domain::PartRefund;

/// Refunds a part of the payment of an order, once. Returns it, and whether it is made; otherwise the payment provider is asked for it.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    refund: RefundId,
    order: OrderId,
    amount: Money,
    has_provider: bool,
    at: DateTime<Utc>,
) -> Result<(PartRefund, bool), sqlx::Error> {
    let currency = amount.currency();
    let row = sqlx::query!(
        r#"
        with paid as (
            select p.id, p.order_id, p.reference, $5::boolean and p.reference is not null as is_asked
            from orders o
            join payment p on p.id = o.payment_id
            where o.id = $2::uuid and p.state = 'approved' and p.currency = $4::text
        ), made as (
            insert into order_refund (id, order_id, payment_id, amount, currency, state, requested_at, refunded_at)
            select $1::uuid, order_id, id, $3::bigint, $4::text, case when is_asked then 'pending' else 'refunded' end,
                $6::timestamptz, case when is_asked then null else $6::timestamptz end
            from paid
        ), asked as (
            insert into provider_request (
                payment_id, refund_id, operation, order_id, reference, amount, currency, state, requested_at, started_at,
                next_attempt_at
            )
            select id, $1::uuid, 'refund', order_id, reference, $3::bigint, $4::text, 'pending', $6::timestamptz,
                $6::timestamptz, $6::timestamptz
            from paid where is_asked
        )
        select id, is_asked as "is_asked!" from paid
        "#,
        refund.as_uuid(),
        order.as_uuid(),
        amount.amount(),
        currency.as_str(),
        has_provider,
        at,
    )
    .fetch_one(connection)
    .await?;
    Ok((PartRefund { id: refund, payment: row.id.into(), amount }, !row.is_asked))
}

/// Marks a pending refund as made, and returns it.
pub(crate) async fn mark_made(
    connection: &mut PgConnection,
    refund: RefundId,
    at: DateTime<Utc>,
) -> Result<Option<PartRefund>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        update order_refund set state = 'refunded', refunded_at = $2 where id = $1 and state = 'pending'
        returning payment_id, amount, currency
        "#,
        refund.as_uuid(),
        at,
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        let (payment, amount) =
            (PaymentId::from(row.payment_id), money(row.amount, &row.currency)?);
        Ok(PartRefund { id: refund, payment, amount })
    })
    .transpose()
}
