//! `POST /v1/orders/{id}/authorisation`

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use messaging::{Criticality, Outbox};
use problem::{Fields, Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use serde::Deserialize;
use utoipa::ToSchema;
use vocabulary::OrderId;

use super::{
    access::{no_such_order, order_not_found, require_customer, require_scope},
    order_body::OrderBody,
};
use crate::{
    app::{
        authorise_payment::{self as authorise, AuthorisePaymentCommand, AuthorisePaymentError},
        order_process::OrderProcess,
        payment_provider::PaymentProvider,
    },
    domain::{OrderStatus, costs::Costs, one_line},
    storage::order_views,
};

/// The maximum length of a token, in characters.
const MAX_TOKEN: usize = 1_000;

/// `Retry-After` while the provider does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorisationRequest {
    /// What the payment provider has given the customer's browser; up to 1000 characters.
    #[schema(required, nullable = false, max_length = 1000, example = "tok_1")]
    token: Option<String>,
}

/// Pay an order at the payment provider
///
/// The provider authorises the total of the order, and the order is confirmed. The money is captured within moments. A
/// repetition with the same token pays once. After `payment_declined` the customer may try another token until the hold
/// of the stock ends.
#[utoipa::path(
    post, path = "/v1/orders/{id}/authorisation", tag = "orders", request_body = AuthorisationRequest,
    params(("id" = OrderId, Path)),
    responses(
        (status = 200, body = OrderBody),
        (status = 402, body = Problem, description = "`payment_declined`: the provider declined the payment"),
        (status = 409, body = Problem, description = "`not_payable_yet`: the order is not reserved; `already_paid`; `payment_provider_off`: there is no payment provider"),
        (status = 503, body = Problem, description = "`payment_provider_unavailable`: try again with the same token"),
    ),
    security(("bearer" = ["orders:write"]))
)]
pub(crate) async fn authorise_payment(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    State(provider): State<Option<PaymentProvider>>,
    Path(id): Path<OrderId>,
    Json(request): Json<AuthorisationRequest>,
) -> Result<Json<OrderBody>, Problem> {
    require_scope(&caller, Scope::OrdersWrite)?;
    admit(&outbox, Criticality::Critical)?;
    let mut fields = Fields::new();
    let token = fields.require("token", request.token);
    let token = token.and_then(|token| fields.check("token", one_line(&token, MAX_TOKEN)));
    let token = fields.finish_with(|| token)?;
    let view = order_views::get(&mut *outbox.pool().acquire().await?, id).await?;
    let view = view.ok_or_else(|| no_such_order(&caller, id))?;
    require_customer(&caller, Scope::OrdersWrite, view.customer)?;
    let provider = provider.ok_or_else(|| {
        Problem::conflict("payment_provider_off", "This shop has no payment provider")
    })?;
    let amount = match (view.status, view.costs.as_ref().map(Costs::total)) {
        (OrderStatus::Reserved, Some(total)) => total,
        (status, _) => return Err(not_payable(status)),
    };
    let command = AuthorisePaymentCommand { order: id, amount, token };
    authorise::authorise_payment(&outbox, &process, &provider, command).await?;
    let view = order_views::get(&mut *outbox.pool().acquire().await?, id).await?;
    let view = view.ok_or_else(|| order_not_found(id))?;
    Ok(Json(OrderBody::from(view.without_address())))
}

fn not_payable(status: OrderStatus) -> Problem {
    let problem = match status {
        OrderStatus::Confirmed
        | OrderStatus::Shipped
        | OrderStatus::Delivered
        | OrderStatus::Returned => Problem::conflict("already_paid", "The order is already paid"),
        OrderStatus::Placed
        | OrderStatus::Reserved
        | OrderStatus::Rejected
        | OrderStatus::PaymentFailed
        | OrderStatus::Expired
        | OrderStatus::Cancelled => {
            Problem::conflict("not_payable_yet", "The order cannot be paid")
        }
    };
    problem.detail(format!("The order is {status}.")).member("order_status", status.as_str())
}

impl From<AuthorisePaymentError> for Problem {
    fn from(error: AuthorisePaymentError) -> Self {
        match error {
            AuthorisePaymentError::Declined(reason) => {
                let title = "The payment was declined";
                Self::new(StatusCode::PAYMENT_REQUIRED, "payment_declined", title).detail(reason)
            }
            AuthorisePaymentError::Unavailable(_) => {
                Self::unavailable("payment_provider_unavailable", RETRY_AFTER)
                    .detail("The payment provider gave no valid answer. Nothing was paid twice.")
            }
            AuthorisePaymentError::NotPayable(status) => not_payable(status),
            AuthorisePaymentError::Messaging(error) => error.into(),
        }
    }
}
