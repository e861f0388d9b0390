//! `GET /v1/refunds`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vocabulary::{Money, OrderId, PaymentId};

use super::page_limit::page_limit;
use crate::storage::refunds::{self, RefundView};

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundState {
    Pending,
    Done,
    Failed,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListRefundsQuery {
    /// Only refunds in this state; `failed` ones need an operator.
    #[param(inline)]
    state: RefundState,
    /// The maximum number of refunds: 1 to 100, default 20.
    limit: Option<u16>,
    /// The payment of the last refund of the previous page.
    after: Option<PaymentId>,
}

/// A page of refunds, newest payment first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefundPage {
    items: Vec<RefundBody>,
}

/// A refund that the payment provider makes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refund)]
struct RefundBody {
    payment_id: PaymentId,
    order_id: OrderId,
    /// The provider's id of the payment.
    reference: String,
    amount: Money,
    /// `pending`, `done`, or `failed`: the provider refused it, or did not answer for a day.
    state: String,
    attempts: i32,
    /// The provider's id of the refund.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_reference: Option<String>,
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

/// List the refunds of the payment provider
#[utoipa::path(
    get, path = "/v1/refunds", tag = "orders", params(ListRefundsQuery),
    responses((status = 200, body = RefundPage)), security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn list_refunds(
    caller: Caller,
    State(outbox): State<Outbox>,
    Query(query): Query<ListRefundsQuery>,
) -> Result<Json<RefundPage>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let limit = page_limit(query.limit)?;
    let state = match query.state {
        RefundState::Pending => "pending",
        RefundState::Done => "done",
        RefundState::Failed => "failed",
    };
    let mut connection = outbox.pool().acquire().await?;
    let found = refunds::list(&mut connection, state, query.after, limit.into()).await?;
    Ok(Json(RefundPage { items: found.into_iter().map(RefundBody::from).collect() }))
}

impl From<RefundView> for RefundBody {
    fn from(view: RefundView) -> Self {
        let is_pending = view.finished_at.is_none();
        Self {
            payment_id: view.request.payment,
            order_id: view.request.order,
            reference: view.request.reference,
            amount: view.request.amount,
            state: view.state,
            attempts: view.attempts,
            refund_reference: view.refund_reference,
            error: view.error,
            requested_at: view.requested_at,
            next_attempt_at: is_pending.then_some(view.next_attempt_at),
            finished_at: view.finished_at,
        }
    }
}
