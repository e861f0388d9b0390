//! Records what the payment provider answered to a request for a refund.

use messaging::{Error, Transaction};
use runtime::clock;

use super::order_process::OrderProcess;
use crate::{
    domain::{self, RefundAnswer, RefundStep},
    storage::{
        orders::{self, LockedOrder},
        refunds::{self, ClaimedRefund},
    },
};

/// A refund that the provider has made moves its payment and tells the order's watchers. An answer to a claim that has
/// expired changes nothing: another process has asked, with the same idempotency key.
pub(crate) async fn record_refund(
    tx: &mut Transaction,
    process: &OrderProcess,
    refund: ClaimedRefund,
    answer: RefundAnswer,
) -> Result<(), Error> {
    let (order, payment) = (refund.request.order, refund.request.payment);
    let locked = orders::lock_one(tx, order).await?;
    let now = clock::now();
    let attempts = u32::try_from(refund.attempts).unwrap_or_default().saturating_add(1);
    let step = RefundStep::after(answer, attempts, refund.started_at, now, rand::random());
    if !refunds::record(tx, &refund, &step, now).await? {
        return Ok(());
    }
    match step {
        RefundStep::Done { .. } => {
            metrics::counter!("refunds_total", "result" => "done").increment(1);
            if let Some(LockedOrder { order, trace }) = locked {
                let transition = domain::record_refund(order, payment, now);
                process.record_one(tx, trace, transition, now).await?;
            }
        }
        RefundStep::Retry { error, .. } => {
            metrics::counter!("refunds_total", "result" => "retry").increment(1);
            tracing::warn!(%order, %payment, error, "a refund is not made yet; asking again");
        }
        RefundStep::GiveUp { error } => {
            metrics::counter!("refunds_total", "result" => "failed").increment(1);
            tracing::error!(%order, %payment, error, "gave up a refund; an operator must act");
        }
    }
    Ok(())
}
