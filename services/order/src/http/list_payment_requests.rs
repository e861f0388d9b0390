//! `GET /v1/payment-requests`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vocabulary::{Money, OrderId, PaymentId, RefundId};

use super::page_limit::page_limit;
use crate::storage::provider_requests::{self, RequestView};

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RequestState {
    Pending,
    Done,
    Failed,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListPaymentRequestsQuery {
    /// Only requests in this state; `failed` ones need an operator.
    #[param(inline)]
    state: RequestState,
    /// The maximum number of requests: 1 to 100, default 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The `id` of the last request of the previous page.
    after: Option<Uuid>,
}

/// A page of requests, newest id first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PaymentRequestPage {
    items: Vec<PaymentRequestBody>,
}

/// What the payment provider is asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentRequest)]
struct PaymentRequestBody {
    /// `capture`, `void` or `refund`.
    operation: &'static str,
    /// With the operation, for the retry: the part of the payment that is refunded, or else the payment.
    id: Uuid,
    payment_id: PaymentId,
    /// The part of the payment that is refunded: the id of a return. Absent for all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_id: Option<RefundId>,
    order_id: OrderId,
    /// The provider's id of the payment.
    reference: String,
    amount: Money,
    /// `pending`, `done`, or `failed`: the provider refused it, or did not answer for a day.
    state: String,
    attempts: i32,
    /// The provider's id of what it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_reference: Option<String>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    requested_at: DateTime<Utc>,
    /// Present while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
}

/// List the requests to the payment provider
#[utoipa::path(
    get, path = "/v1/payment-requests", tag = "orders", params(ListPaymentRequestsQuery),
    responses((status = 200, body = PaymentRequestPage)), security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn list_payment_requests(
    caller: Caller,
    State(outbox): State<Outbox>,
    Query(query): Query<ListPaymentRequestsQuery>,
) -> Result<Json<PaymentRequestPage>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let limit = page_limit(query.limit)?;
    let state = match query.state {
        RequestState::Pending => "pending",
        RequestState::Done => "done",
        RequestState::Failed => "failed",
    };
    let mut connection = outbox.pool().acquire().await?;
    let found = provider_requests::list(&mut connection, state, query.after, limit.into()).await?;
    Ok(Json(PaymentRequestPage {
        items: found.into_iter().map(PaymentRequestBody::from).collect(),
    }))
}

impl From<RequestView> for PaymentRequestBody {
    fn from(view: RequestView) -> Self {
        let is_pending = view.finished_at.is_none();
        Self {
            operation: view.request.operation.as_str(),
            id: view.request.id(),
            payment_id: view.request.payment,
            refund_id: view.request.refund,
            order_id: view.request.order,
            reference: view.request.reference,
            amount: view.request.amount,
            state: view.state,
            attempts: view.attempts,
            answer_reference: view.answer_reference,
            error: view.error,
            requested_at: view.requested_at,
            next_attempt_at: is_pending.then_some(view.next_attempt_at),
            finished_at: view.finished_at,
        }
    }
}
