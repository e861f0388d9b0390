//! `POST /v1/webhooks/payments`: a payment provider tells what became of a payment.

use axum::extract::State;
use messaging::{Kit, Worth};
use problem::{Fields, Json, Problem};
use runtime::{clock, messaging::admit};
use serde::Deserialize;
use utoipa::ToSchema;
use vocabulary::{OrderId, PaymentId};

use super::{LONGEST_TEXT, Received, Signed, again};
use crate::{
    domain::{self, Payment, one_line},
    http::{
        access::no_such,
        pay::{Outcome, too_early},
    },
    process::{Caused, Process},
    storage::{
        orders, payments,
        webhooks::{self, Claim},
    },
};

/// What a payment provider tells.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentTold {
    /// Names this callback; sent again, it takes effect once.
    event_id: String,
    /// Which order was paid for.
    order_id: OrderId,
    /// What became of the payment. May be called `status`.
    #[serde(alias = "status")]
    outcome: Outcome,
    /// What the provider calls the payment.
    reference: Option<String>,
}

/// Takes what a payment provider tells.
///
/// The header `X-Signature: t=<seconds>,v1=<hex>` carries the HMAC-SHA256 of `<seconds>.<body>`. An approval for an order
/// that has ended is written down and given back.
#[utoipa::path(
    post, path = "/v1/webhooks/payments", tag = "webhooks", request_body = PaymentTold,
    params(("X-Signature" = String, Header, description = "`t=<seconds of Unix time>,v1=<HMAC-SHA256 in hexadecimal>`")),
    responses(
        (status = 200, body = Received),
        (status = 401, description = "`bad_signature`"),
        (status = 409, description = "`not_payable_yet`: send it again later."),
        (status = 503, description = "`webhooks_off`: no secret is configured."),
    )
)]
pub(crate) async fn payment_told(
    State(kit): State<Kit>,
    State(process): State<Process>,
    Signed(told): Signed<PaymentTold>,
) -> Result<Json<Received>, Problem> {
    admit(&kit, Worth::Essential)?;
    let mut fields = Fields::new();
    let event_id = fields.check("event_id", one_line(&told.event_id, LONGEST_TEXT));
    let reference =
        told.reference.map(|text| fields.check("reference", one_line(&text, LONGEST_TEXT)));
    let event_id = fields.finish_with(|| event_id)?;

    let internal = |error: messaging::Error| Problem::internal_from(&error);
    let mut tx = kit.begin().await.map_err(internal)?;
    if let Claim::Answered(answer) = webhooks::claim(&mut tx, "payments", &event_id).await? {
        return again(answer);
    }
    let id = told.order_id;
    let locked = orders::lock_one(&mut tx, id).await?.ok_or_else(|| no_such(id))?;
    let now = clock::now();
    let (reference, verdict) = (reference.flatten(), told.outcome.into());
    let is_known = match &reference {
        Some(reference) => payments::is_known(&mut tx, id, reference, verdict).await?,
        None => false,
    };
    let received = if is_known {
        // The provider has told of it under another event; a second payment would be given back, and it is the first.
        Received { order_id: id, status: locked.order.status(), applied: false }
    } else {
        let payment = Payment { id: PaymentId::new(), reference, verdict };
        let taken = domain::pay(locked.order, payment, now, process.terms()).map_err(too_early)?;
        let received =
            Received { order_id: id, status: taken.order.status(), applied: taken.moved };
        let change = Caused { cause: contracts::trace::current().or(locked.trace), taken };
        process.write(&mut tx, &[change], now).await.map_err(internal)?;
        received
    };
    webhooks::record(&mut tx, "payments", &event_id, &received.to_value()?).await?;
    tx.commit().await.map_err(internal)?;
    Ok(Json(received))
}
