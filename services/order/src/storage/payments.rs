//! Payments: every one that a provider told of, also those that came too late.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{Money, OrderId, PaymentId};

use crate::domain::{Order, Payment, Verdict};

/// Whether a provider has told of this payment before, under whatever event: what it calls it, and how it went.
pub(crate) async fn is_known(
    connection: &mut PgConnection,
    order: OrderId,
    reference: &str,
    verdict: Verdict,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select from payment where order_id = $1 and reference = $2 and (state = 'declined') = $3
        ) as "known!"
        "#,
        order.as_uuid(),
        reference,
        verdict == Verdict::Declined,
    )
    .fetch_one(connection)
    .await
}

/// Writes new payments, each with the order that it was for.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    made: &[(&Order, &Payment)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if made.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = made.iter().map(|(_, payment)| payment.id.as_uuid()).collect();
    let orders: Vec<Uuid> = made.iter().map(|(order, _)| order.id.as_uuid()).collect();
    let state = |verdict| match verdict {
        Verdict::Approved => "approved",
        Verdict::Declined => "declined",
    };
    let states: Vec<&str> = made.iter().map(|(_, payment)| state(payment.verdict)).collect();
    let references: Vec<Option<&str>> =
        made.iter().map(|(_, payment)| payment.reference.as_deref()).collect();
    let amounts: Vec<Option<i64>> =
        made.iter().map(|(order, _)| order.total.map(Money::amount)).collect();
    let currencies: Vec<Option<String>> = made
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

/// Writes that approved payments were given back.
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
