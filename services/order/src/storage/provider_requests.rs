//! What a payment provider must do, and what came of it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{OrderId, PaymentId, RefundId};

use super::{money, undecodable};
use crate::domain::{ProviderOperation, ProviderRequest, RequestStep};

/// Requests refunds of those of `payments` that the provider reported, and returns them. They stay pending until the provider
/// has made them.
pub(crate) async fn request_refunds(
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
            returning id, order_id, reference, currency,
                amount - coalesce((select sum(r.amount) from order_refund r where r.payment_id = payment.id), 0)::bigint as amount
        )
        insert into provider_request (
            payment_id, operation, order_id, reference, amount, currency, state, requested_at, started_at, next_attempt_at
        )
        select id, 'refund', order_id, reference, amount, currency, 'pending', $2, $2, $2 from pending
        returning payment_id
        "#,
        &ids,
        at,
    )
    .fetch_all(connection)
    .await?;
    Ok(requested.into_iter().map(PaymentId::from).collect())
}

/// Requests the capture of the payment that the provider calls `reference`, if it is approved. It is requested once.
pub(crate) async fn request_capture(
    connection: &mut PgConnection,
    order: OrderId,
    reference: &str,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        insert into provider_request (
            payment_id, operation, order_id, reference, amount, currency, state, requested_at, started_at, next_attempt_at
        )
        select id, 'capture', order_id, reference, amount, currency, 'pending', $3, $3, $3
        from payment
        where order_id = $1 and reference = $2 and state = 'approved' and amount is not null
        on conflict do nothing
        "#,
        order.as_uuid(),
        reference,
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Inserts a request. The same operation on a payment of the provider is requested once.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    request: &ProviderRequest,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let currency = request.amount.currency();
    sqlx::query!(
        r#"
        insert into provider_request (
            payment_id, refund_id, operation, order_id, reference, amount, currency, state, requested_at, started_at, next_attempt_at
        )
        values ($1, $8, $2, $3, $4, $5, $6, 'pending', $7, $7, $7)
        on conflict do nothing
        "#,
        request.payment.as_uuid(),
        request.operation.as_str(),
        request.order.as_uuid(),
        request.reference,
        request.amount.amount(),
        currency.as_str(),
        at,
        request.refund.map(RefundId::as_uuid),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The columns that make a request.
struct RequestColumns<'a> {
    operation: &'a str,
    payment: Uuid,
    refund: Option<Uuid>,
    order: Uuid,
    reference: String,
    amount: i64,
    currency: &'a str,
}

impl TryFrom<RequestColumns<'_>> for ProviderRequest {
    type Error = sqlx::Error;

    fn try_from(columns: RequestColumns<'_>) -> Result<Self, sqlx::Error> {
        Ok(Self {
            operation: columns.operation.parse().map_err(undecodable)?,
            payment: columns.payment.into(),
            refund: columns.refund.map(RefundId::from),
            order: columns.order.into(),
            reference: columns.reference,
            amount: money(columns.amount, columns.currency)?,
        })
    }
}

/// A request that this process alone may send until its claim expires.
#[derive(Debug, Clone)]
pub(crate) struct ClaimedRequest {
    pub(crate) request: ProviderRequest,
    pub(crate) claim: Uuid,
    /// Attempts before this one.
    pub(crate) attempts: i32,
    pub(crate) started_at: DateTime<Utc>,
}

/// Claims at most `limit` requests that are due, until `until`. A refund waits until its payment is captured.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<ClaimedRequest>, sqlx::Error> {
    let claim = Uuid::now_v7();
    let rows = sqlx::query!(
        r#"
        update provider_request r set claim = $1, claimed_until = $3
        from (
            select id, operation from provider_request d
            where state = 'pending' and next_attempt_at <= $2 and (claimed_until is null or claimed_until <= $2)
                and not (operation = 'refund' and exists (
                    select from provider_request c
                    where c.payment_id = d.payment_id and c.operation = 'capture' and c.state = 'pending'
                ))
            order by next_attempt_at
            limit $4
            for update skip locked
        ) due
        where r.id = due.id and r.operation = due.operation
        returning r.operation, r.payment_id, r.refund_id, r.order_id, r.reference, r.amount, r.currency, r.attempts, r.started_at
        "#,
        claim,
        now,
        until,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let claimed = rows.into_iter().map(|row| {
        let request = ProviderRequest::try_from(RequestColumns {
            operation: &row.operation,
            payment: row.payment_id,
            refund: row.refund_id,
            order: row.order_id,
            reference: row.reference,
            amount: row.amount,
            currency: &row.currency,
        })?;
        Ok(ClaimedRequest { request, claim, attempts: row.attempts, started_at: row.started_at })
    });
    claimed.collect()
}

/// When the next request is due.
pub(crate) async fn next_due(
    connection: &mut PgConnection,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select min(next_attempt_at) from provider_request where state = 'pending'")
        .fetch_one(connection)
        .await
}

/// Records an attempt; returns whether the claim still holds. Otherwise another process has claimed the request.
pub(crate) async fn record(
    connection: &mut PgConnection,
    request: &ClaimedRequest,
    step: &RequestStep,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let (state, next_attempt_at, answer_reference, error) = match step {
        RequestStep::Done { reference } => ("done", now, reference.as_deref(), None),
        RequestStep::Retry { at, error } => ("pending", *at, None, error.as_deref()),
        RequestStep::GiveUp { error } => ("failed", now, None, Some(error.as_str())),
    };
    let finished_at = (state != "pending").then_some(now);
    let recorded = sqlx::query!(
        r#"
        update provider_request
        set state = $3, attempts = attempts + 1, next_attempt_at = $4, claim = null, claimed_until = null,
            answer_reference = $5, error = $6, finished_at = $7
        where id = $1 and operation = $8 and claim = $2 and state = 'pending'
        "#,
        request.request.id(),
        request.claim,
        state,
        next_attempt_at,
        answer_reference,
        error,
        finished_at,
        request.request.operation.as_str(),
    )
    .execute(connection)
    .await?;
    Ok(recorded.rows_affected() == 1)
}

/// A request with the result of its last attempt.
#[derive(Debug)]
pub(crate) struct RequestView {
    pub(crate) request: ProviderRequest,
    pub(crate) state: String,
    pub(crate) attempts: i32,
    pub(crate) answer_reference: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) requested_at: DateTime<Utc>,
    pub(crate) next_attempt_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

/// The requests in a state, newest id first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    state: &str,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<RequestView>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select operation, payment_id, refund_id, order_id, reference, amount, currency, state, attempts, answer_reference, error,
            requested_at, next_attempt_at, finished_at
        from provider_request where state = $1 and id < $2
        order by id desc, operation
        limit $3
        "#,
        state,
        before.unwrap_or(Uuid::max()),
        limit,
    )
    .fetch_all(connection)
    .await?;
    let views = rows.into_iter().map(|row| {
        Ok(RequestView {
            request: ProviderRequest::try_from(RequestColumns {
                operation: &row.operation,
                payment: row.payment_id,
                refund: row.refund_id,
                order: row.order_id,
                reference: row.reference,
                amount: row.amount,
                currency: &row.currency,
            })?,
            state: row.state,
            attempts: row.attempts,
            answer_reference: row.answer_reference,
            error: row.error,
            requested_at: row.requested_at,
            next_attempt_at: row.next_attempt_at,
            finished_at: row.finished_at,
        })
    });
    views.collect()
}

/// Sends a request again that was given up; returns whether there is such a request.
pub(crate) async fn retry(
    connection: &mut PgConnection,
    id: Uuid,
    operation: ProviderOperation,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let retried = sqlx::query!(
        r#"
        update provider_request
        set state = 'pending', finished_at = null, attempts = 0, started_at = $3, next_attempt_at = $3
        where id = $1 and operation = $2 and state = 'failed'
        "#,
        id,
        operation.as_str(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(retried.rows_affected() == 1)
}
