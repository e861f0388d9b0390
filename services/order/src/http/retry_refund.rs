//! `POST /v1/refunds/{payment_id}/retry`

use axum::{extract::State, http::StatusCode};
use messaging::Outbox;
use problem::{Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
};
use vocabulary::PaymentId;

use crate::{app::order_process::OrderProcess, storage::refunds};

/// Ask for a failed refund again
///
/// The provider gets the same idempotency key, so it refunds once. If the money was paid back in another way, do not call
/// this.
#[utoipa::path(
    post, path = "/v1/refunds/{payment_id}/retry", tag = "orders", params(("payment_id" = PaymentId, Path)),
    responses(
        (status = 202, description = "The provider is asked for another day."),
        (status = 404, body = Problem, description = "`not_found`: there is no failed refund of this payment"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn retry_refund(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path(payment): Path<PaymentId>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut connection = outbox.pool().acquire().await?;
    let retried = refunds::retry(&mut connection, payment, clock::now()).await?;
    retried.ok_or_else(|| Problem::not_found(format_args!("a failed refund of {payment}")))?;
    process.refund_waker().wake();
    Ok(StatusCode::ACCEPTED)
}
