//! `POST /v1/orders/{id}/payment`

use axum::{body::Bytes, extract::State, http::StatusCode};
use idempotency::{Executed, Request, StoredResponse};
use messaging::{Criticality, Outbox};
use problem::{IdempotencyKey, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use serde::Deserialize;
use utoipa::ToSchema;
use vocabulary::OrderId;

use super::{
    access::{lock_own, order_not_found, require_scope},
    json_bytes,
    order_body::OrderBody,
};
use crate::{
    app::{
        order_process::OrderProcess,
        pay_order::{self as command, PayOrderCommand, PayOrderError},
    },
    domain::{PaymentOutcome, PaymentTooEarly},
    state::TestPayments,
    storage::order_views,
};

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayOrderRequest {
    /// Default `approve`. `method` is an alias, with the values of the payment methods.
    #[serde(default, alias = "method")]
    outcome: OutcomeBody,
}

/// The result of the payment.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentOutcome)]
pub(super) enum OutcomeBody {
    #[default]
    #[serde(alias = "approved", alias = "test")]
    Approve,
    #[serde(alias = "declined", alias = "test_decline")]
    Decline,
}

impl From<OutcomeBody> for PaymentOutcome {
    fn from(outcome: OutcomeBody) -> Self {
        match outcome {
            OutcomeBody::Approve => Self::Approved,
            OutcomeBody::Decline => Self::Declined,
        }
    }
}

/// Pay an order with the built-in test provider
///
/// The provider approves unless the request says otherwise. If the order has ended, the payment is recorded and
/// refunded. Without the setting `TEST_PAYMENTS` it is for operators only, who record a payment that they have received.
#[utoipa::path(
    post, path = "/v1/orders/{id}/payment", tag = "orders", request_body = Option<PayOrderRequest>,
    params(
        ("id" = OrderId, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeated requests with the same key make one payment.")
    ),
    responses(
        (status = 200, body = OrderBody),
        (status = 409, description = "`not_payable_yet`: the stock is not reserved yet; `already_paid`; `test_payments_off`: only the payment provider and operators report payments."),
    ),
    security(("bearer" = ["orders:write"]))
)]
pub(crate) async fn pay_order(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    State(TestPayments(test_payments)): State<TestPayments>,
    Path(id): Path<OrderId>,
    key: Option<IdempotencyKey>,
    body: Bytes,
) -> Result<Executed, Problem> {
    require_scope(&caller, Scope::OrdersWrite)?;
    if !test_payments && !caller.has(Scope::OrdersAdmin) {
        let title = "Customers cannot pay with play money here";
        return Err(Problem::conflict("test_payments_off", title)
            .detail("The payment provider reports the payment."));
    }
    admit(&outbox, Criticality::Critical)?;
    let PayOrderRequest { outcome } = if body.is_empty() {
        PayOrderRequest::default()
    } else {
        json_bytes::parse(body.clone()).await?
    };
    let operation = format!("pay_order {id}");
    let request =
        Request { caller: caller.subject(), operation: &operation, key: key.as_ref(), body: &body };
    idempotency::execute(&outbox, request, async |tx| {
        let locked = lock_own(tx, &caller, id).await?;
        let command = PayOrderCommand { locked, outcome: outcome.into() };
        command::pay_order(tx, &process, command).await?;
        let view = order_views::get(tx, id).await?.ok_or_else(|| order_not_found(id))?;
        StoredResponse::json(StatusCode::OK, &OrderBody::from(view.without_address()))
    })
    .await
}

impl From<PayOrderError> for Problem {
    fn from(error: PayOrderError) -> Self {
        match error {
            PayOrderError::AlreadyPaid => {
                Problem::conflict("already_paid", "The order is already paid")
            }
            PayOrderError::TooEarly(error) => payment_too_early(error),
            PayOrderError::Messaging(error) => error.into(),
        }
    }
}

/// 409: try again once inventory has answered.
pub(super) fn payment_too_early(error: PaymentTooEarly) -> Problem {
    Problem::conflict("not_payable_yet", "The order cannot be paid yet").detail(format!("{error}."))
}
