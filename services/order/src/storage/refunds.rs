//! Refunds that a payment provider must make.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{OrderId, PaymentId};

use super::money;
use crate::domain::{RefundRequest, RefundStep};

/// Requests refunds of those of `payments` that the provider reported, and returns them. They stay pending until the provider
/// has made them.
pub(crate) async fn request(
    connection: &mut PgConnection,
    payments: &[PaymentId],
    at: DateTime<Utc>,
) -> Result<Vec<PaymentId>, sqlx::Error> {
    let ids: Vec<Uuid> = payments.iter().map(|payment| payment.as_uuid()).collect();
    let requested = sqlx::query_scalar!(
        r#"
        with pending as (
            update payment set state = 'refund_pending'
            where id = any($1) and state = 'approved' and reference is not null and amount is not null
            returning id, order_id, reference, amount, currency
        )
        insert into refund (
            payment_id, order_id, reference, amount, currency, state, requested_at, started_at, next_attempt_at
        )
        select id, order_id, reference, amount, currency, 'pending', $2, $2, $2 from pending
        returning payment_id
        "#,
        &ids,
        at,
    )
    .fetch_all(connection)
    .await?;
    Ok(requested.into_iter().map(PaymentId::from).collect())
}

/// A refund that this process alone may ask for until its claim expires.
#[derive(Debug, Clone)]
pub(crate) struct ClaimedRefund {
    pub(crate) request: RefundRequest,
    pub(crate) claim: Uuid,
    /// Attempts before this one.
    pub(crate) attempts: i32,
    pub(crate) started_at: DateTime<Utc>,
}

/// Claims at most `limit` refunds that are due, until `until`.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<ClaimedRefund>, sqlx::Error> {
    let claim = Uuid::now_v7();
    let rows = sqlx::query!(
        r#"
        update refund r set claim = $1, claimed_until = $3
        from (
            select payment_id from refund
            where state = 'pending' and next_attempt_at <= $2 and (claimed_until is null or claimed_until <= $2)
            order by next_attempt_at
            limit $4
            for update skip locked
        ) due
        where r.payment_id = due.payment_id
        returning r.payment_id, r.order_id, r.reference, r.amount, r.currency, r.attempts, r.started_at
        "#,
        claim,
        now,
        until,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let claimed = rows.into_iter().map(|row| {
        let request = RefundRequest {
            payment: row.payment_id.into(),
            order: row.order_id.into(),
            reference: row.reference,
            amount: money(row.amount, &row.currency)?,
        };
        Ok(ClaimedRefund { request, claim, attempts: row.attempts, started_at: row.started_at })
    });
    claimed.collect()
}

/// When the next refund is due.
pub(crate) async fn next_due(
    connection: &mut PgConnection,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select min(next_attempt_at) from refund where state = 'pending'")
        .fetch_one(connection)
        .await
}

/// Records an attempt; returns whether the claim still holds. Otherwise another process has claimed the refund.
pub(crate) async fn record(
    connection: &mut PgConnection,
    refund: &ClaimedRefund,
    step: &RefundStep,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let (state, next_attempt_at, refund_reference, error) = match step {
        RefundStep::Done { reference } => ("done", now, reference.as_deref(), None),
        RefundStep::Retry { at, error } => ("pending", *at, None, error.as_deref()),
        RefundStep::GiveUp { error } => ("failed", now, None, Some(error.as_str())),
    };
    let finished_at = (state != "pending").then_some(now);
    let recorded = sqlx::query!(
        r#"
        update refund
        set state = $3, attempts = attempts + 1, next_attempt_at = $4, claim = null, claimed_until = null,
            refund_reference = $5, error = $6, finished_at = $7
        where payment_id = $1 and claim = $2 and state = 'pending'
        "#,
        refund.request.payment.as_uuid(),
        refund.claim,
        state,
        next_attempt_at,
        refund_reference,
        error,
        finished_at,
    )
    .execute(connection)
    .await?;
    Ok(recorded.rows_affected() == 1)
}

/// A refund with the result of its last attempt.
#[derive(Debug)]
pub(crate) struct RefundView {
    pub(crate) request: RefundRequest,
    pub(crate) state: String,
    pub(crate) attempts: i32,
    pub(crate) refund_reference: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) requested_at: DateTime<Utc>,
    pub(crate) next_attempt_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

/// The refunds in a state, newest payment first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    state: &str,
    before: Option<PaymentId>,
    limit: i64,
) -> Result<Vec<RefundView>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select payment_id, order_id, reference, amount, currency, state, attempts, refund_reference, error, requested_at,
            next_attempt_at, finished_at
        from refund where state = $1 and payment_id < $2
        order by payment_id desc
        limit $3
        "#,
        state,
        before.map_or(Uuid::max(), PaymentId::as_uuid),
        limit,
    )
    .fetch_all(connection)
    .await?;
    let views = rows.into_iter().map(|row| {
        Ok(RefundView {
            request: RefundRequest {
                payment: row.payment_id.into(),
                order: row.order_id.into(),
                reference: row.reference,
                amount: money(row.amount, &row.currency)?,
            },
            state: row.state,
            attempts: row.attempts,
            refund_reference: row.refund_reference,
            error: row.error,
            requested_at: row.requested_at,
            next_attempt_at: row.next_attempt_at,
            finished_at: row.finished_at,
        })
    });
    views.collect()
}

/// Asks for a refund again that was given up, and returns its order; `None` if there is no such refund.
pub(crate) async fn retry(
    connection: &mut PgConnection,
    payment: PaymentId,
    now: DateTime<Utc>,
) -> Result<Option<OrderId>, sqlx::Error> {
    let order = sqlx::query_scalar!(
        r#"
        update refund set state = 'pending', finished_at = null, attempts = 0, started_at = $2, next_attempt_at = $2
        where payment_id = $1 and state = 'failed'
        returning order_id
        "#,
        payment.as_uuid(),
        now,
    )
    .fetch_optional(connection)
    .await?;
    Ok(order.map(OrderId::from))
}
