//! Records what the payment provider answered to a request.

use messaging::{Error, Transaction};
use runtime::clock;

use super::order_process::OrderProcess;
use crate::{
    domain::{self, ProviderAnswer, ProviderOperation, RequestStep},
    storage::{
        order_refunds,
        orders::{self, LockedOrder},
        provider_requests::{self, ClaimedRequest},
    },
};

/// A refund that the provider has made moves its payment and tells the order's watchers. An answer to a claim that has
/// expired changes nothing: another process has asked, with the same idempotency key.
pub(crate) async fn record_provider_answer(
    tx: &mut Transaction,
    process: &OrderProcess,
    request: ClaimedRequest,
    answer: ProviderAnswer,
) -> Result<(), Error> {
    let (order, payment) = (request.request.order, request.request.payment);
    let operation = request.request.operation;
    let locked = orders::lock_one(tx, order).await?;
    let now = clock::now();
    let attempts = u32::try_from(request.attempts).unwrap_or_default().saturating_add(1);
    let step = RequestStep::after(answer, attempts, request.started_at, now, rand::random());
    if !provider_requests::record(tx, &request, &step, now).await? {
        return Ok(());
    }
    let name = operation.as_str();
    let result = match step {
        RequestStep::Done { .. } => {
            if let (ProviderOperation::Refund, Some(LockedOrder { order, trace })) =
                (operation, locked)
            {
                let transition = match request.request.refund {
                    Some(refund) => order_refunds::mark_made(tx, refund, now)
                        .await?
                        .map(|refund| domain::record_part_refund(order, refund, now)),
                    None => Some(domain::record_refund(order, payment, now)),
                };
                if let Some(transition) = transition {
                    process.record_one(tx, trace, transition, now).await?;
                }
            }
            "done"
        }
        RequestStep::Retry { error, .. } => {
            tracing::warn!(%order, %payment, operation = name, error, "the payment provider has not done it yet; asking again");
            "retry"
        }
        RequestStep::GiveUp { error } => {
            tracing::error!(%order, %payment, operation = name, error, "gave up a request to the payment provider; an operator must act");
            "failed"
        }
    };
    metrics::counter!("payment_requests_total", "operation" => name, "result" => result)
        .increment(1);
    Ok(())
}
