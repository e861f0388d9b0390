//! Payments, including late ones, which are refunded.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{Money, OrderId, PaymentId};

use crate::domain::{Order, Payment, PaymentOutcome};

/// Whether a payment with this reference and outcome exists, whatever event id it came with.
pub(crate) async fn exists(
    connection: &mut PgConnection,
    order: OrderId,
    reference: &str,
    outcome: PaymentOutcome,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select from payment where order_id = $1 and reference = $2 and (state = 'declined') = $3
        ) as "known!"
        "#,
        order.as_uuid(),
        reference,
        outcome == PaymentOutcome::Declined,
    )
    .fetch_one(connection)
    .await
}

/// Inserts payments, each with its order.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    payments: &[(&Order, &Payment)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if payments.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = payments.iter().map(|(_, payment)| payment.id.as_uuid()).collect();
    let orders: Vec<Uuid> = payments.iter().map(|(order, _)| order.id.as_uuid()).collect();
    let state = |outcome| match outcome {
        PaymentOutcome::Approved => "approved",
        PaymentOutcome::Declined => "declined",
    };
    let states: Vec<&str> = payments.iter().map(|(_, payment)| state(payment.outcome)).collect();
    let references: Vec<Option<&str>> =
        payments.iter().map(|(_, payment)| payment.reference.as_deref()).collect();
    let amounts: Vec<Option<i64>> =
        payments.iter().map(|(order, _)| order.total.map(Money::amount)).collect();
    let currencies: Vec<Option<String>> = payments
        .iter()
        .map(|(order, _)| order.total.map(|total| total.currency().to_string()))
        .collect();
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

/// Marks approved payments as refunded.
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
        "update payment set state = 'refunded', refunded_at = $2 where id = any($1) and state = 'approved'",
        &ids,
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}
