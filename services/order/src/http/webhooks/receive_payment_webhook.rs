//! `POST /v1/webhooks/payments`

use axum::extract::State;
use messaging::{Criticality, Outbox};
use problem::{Fields, Json, Problem};
use runtime::messaging::admit;
use serde::Deserialize;
use utoipa::ToSchema;
use vocabulary::{Money, OrderId};

use super::{MAX_TEXT, Signed, WebhookResponse};
use crate::{
    app::{
        order_process::OrderProcess,
        record_payment::{RecordPaymentCommand, RecordPaymentError, record_payment},
    },
    domain::one_line,
    http::{
        access::order_not_found,
        pay_order::{OutcomeBody, payment_too_early},
    },
    storage::{
        orders,
        webhooks::{self, WebhookClaim},
    },
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentWebhook {
    /// A repeated event with the same id takes effect once.
    event_id: String,
    order_id: OrderId,
    /// `status` is an alias.
    #[serde(alias = "status")]
    outcome: OutcomeBody,
    /// The provider's id of the payment. Two events with the same reference and outcome are one payment.
    reference: Option<String>,
    /// What was paid. If it differs from the total of the order, the payment is kept for an operator and confirms nothing.
    amount: Option<Money>,
}

/// Receive a payment event from a payment provider
///
/// `X-Signature: t=<seconds>,v1=<hex>` carries the HMAC-SHA256 of `<seconds>.<body>`. An approved payment for an order
/// that has ended is recorded and refunded. An approved payment of another amount than the total confirms nothing.
#[utoipa::path(
    post, path = "/v1/webhooks/payments", tag = "webhooks", request_body = PaymentWebhook,
    params(("X-Signature" = String, Header, description = "`t=<seconds of Unix time>,v1=<HMAC-SHA256 in hexadecimal>`")),
    responses(
        (status = 200, body = WebhookResponse),
        (status = 401, description = "`bad_signature`"),
        (status = 409, description = "`not_payable_yet`: send it again later."),
        (status = 503, description = "`webhooks_off`: no secret is configured."),
    )
)]
pub(crate) async fn receive_payment_webhook(
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Signed(webhook): Signed<PaymentWebhook>,
) -> Result<Json<WebhookResponse>, Problem> {
    admit(&outbox, Criticality::Critical)?;
    let mut fields = Fields::new();
    let event_id = fields.check("event_id", one_line(&webhook.event_id, MAX_TEXT));
    let reference =
        webhook.reference.map(|text| fields.check("reference", one_line(&text, MAX_TEXT)));
    let event_id = fields.finish_with(|| event_id)?;

    let mut tx = outbox.begin().await?;
    let claim = webhooks::claim(&mut tx, "payments", &event_id).await?;
    if let WebhookClaim::Processed(response) = claim {
        return WebhookResponse::from_json(response);
    }
    let id = webhook.order_id;
    let locked = orders::lock_one(&mut tx, id).await?.ok_or_else(|| order_not_found(id))?;
    let (outcome, amount) = (webhook.outcome.into(), webhook.amount);
    let command = RecordPaymentCommand { locked, reference: reference.flatten(), outcome, amount };
    let update = record_payment(&mut tx, &process, command).await?;
    let response = WebhookResponse::new(id, update);
    webhooks::record_response(&mut tx, "payments", &event_id, &response.to_json()?).await?;
    tx.commit().await?;
    Ok(Json(response))
}

impl From<RecordPaymentError> for Problem {
    fn from(error: RecordPaymentError) -> Self {
        match error {
            RecordPaymentError::TooEarly(error) => payment_too_early(error),
            RecordPaymentError::Messaging(error) => error.into(),
        }
    }
}
