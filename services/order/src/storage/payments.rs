//! Payments, including late ones, which are refunded.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{Money, OrderId, PaymentId};

use super::optional_money;
use crate::domain::{Order, Payment, PaymentOutcome, PaymentState};

/// Whether a payment with this reference and outcome exists, whatever event id it came with. If it was mismatched, only
/// the same amount is the same payment.
pub(crate) async fn exists(
    connection: &mut PgConnection,
    order: OrderId,
    reference: &str,
    outcome: PaymentOutcome,
    amount: Option<Money>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select from payment
            where order_id = $1 and reference = $2 and (state = 'declined') = $3
                and (state <> 'mismatched' or (amount = $4 and currency = $5))
        ) as "known!"
        "#,
        order.as_uuid(),
        reference,
        outcome == PaymentOutcome::Declined,
        amount.map(Money::amount),
        amount.map(|amount| amount.currency().to_string()),
    )
    .fetch_one(connection)
    .await
}

/// Inserts payments, each with its order.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    payments: &[(&Order, &Payment, PaymentState)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if payments.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = payments.iter().map(|(_, payment, _)| payment.id.as_uuid()).collect();
    let orders: Vec<Uuid> = payments.iter().map(|(order, ..)| order.id.as_uuid()).collect();
    let name = |state| match state {
        PaymentState::Approved => "approved",
        PaymentState::Declined => "declined",
        PaymentState::Mismatched => "mismatched",
    };
    let states: Vec<&str> = payments.iter().map(|(.., state)| name(*state)).collect();
    let references: Vec<Option<&str>> =
        payments.iter().map(|(_, payment, _)| payment.reference.as_deref()).collect();
    let paid = || payments.iter().map(|(order, payment, _)| payment.amount.or(order.total()));
    let amounts: Vec<Option<i64>> = paid().map(|paid| paid.map(Money::amount)).collect();
    let currencies: Vec<Option<String>> =
        paid().map(|paid| paid.map(|paid| paid.currency().to_string())).collect();
    sqlx::query!(
        r#"
        insert into payment (id, order_id, state, reference, amount, currency, made_at)
        select id, order_id, state, reference, amount, currency, $7
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[])
            as new (id, order_id, state, reference, amount, currency)
        "#,
        &ids,
        &orders,
        &states as &[&str],
        &references as &[Option<&str>],
        &amounts as &[Option<i64>],
        &currencies as &[Option<String>],
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks approved payments, and those whose refund was requested, as refunded.
pub(crate) async fn refund(
    connection: &mut PgConnection,
    payments: &[PaymentId],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if payments.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = payments.iter().map(|payment| payment.as_uuid()).collect();
    sqlx::query!(
        "update payment set state = 'refunded', refunded_at = $2 where id = any($1) and state in ('approved', 'refund_pending')",
        &ids,
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A payment of another amount than the total of its order.
#[derive(Debug)]
pub(crate) struct MismatchedPayment {
    pub(crate) id: PaymentId,
    pub(crate) order: OrderId,
    pub(crate) reference: Option<String>,
    pub(crate) paid: Option<Money>,
    pub(crate) total: Option<Money>,
    pub(crate) made_at: DateTime<Utc>,
}

/// The mismatched payments, newest first.
pub(crate) async fn mismatched(
    connection: &mut PgConnection,
    before: Option<PaymentId>,
    limit: i64,
) -> Result<Vec<MismatchedPayment>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select p.id, p.order_id, p.reference, p.amount, p.currency, p.made_at, o.total, o.currency as order_currency
        from payment p
        join orders o on o.id = p.order_id
        where p.state = 'mismatched' and p.id < $1
        order by p.id desc
        limit $2
        "#,
        before.map_or(Uuid::max(), PaymentId::as_uuid),
        limit,
    );
    let payments = rows.fetch_all(connection).await?.into_iter().map(|row| {
        Ok(MismatchedPayment {
            id: row.id.into(),
            order: row.order_id.into(),
            reference: row.reference,
            paid: optional_money(row.amount, row.currency.as_deref())?,
            total: optional_money(row.total, row.order_currency.as_deref())?,
            made_at: row.made_at,
        })
    });
    payments.collect()
}
