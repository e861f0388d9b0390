//! `GET /v1/payments/mismatched`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vocabulary::{Money, OrderId, PaymentId};

use super::page_limit::page_limit;
use crate::storage::payments::{self, MismatchedPayment};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListMismatchedPaymentsQuery {
    /// The maximum number of payments: 1 to 100, default 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The id of the last payment of the previous page.
    after: Option<PaymentId>,
}

/// A page of payments, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MismatchedPaymentPage {
    items: Vec<MismatchedPaymentBody>,
}

/// A payment that confirmed nothing, because another amount was paid than the total of the order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MismatchedPayment)]
struct MismatchedPaymentBody {
    id: PaymentId,
    order_id: OrderId,
    /// The provider's id of the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    paid: Option<Money>,
    /// The total of the order.
    total: Option<Money>,
    made_at: DateTime<Utc>,
}

/// List payments of a wrong amount
///
/// An operator decides: refund them at the provider, or confirm the order with `POST /v1/orders/{id}/payment`.
#[utoipa::path(
    get, path = "/v1/payments/mismatched", tag = "orders", params(ListMismatchedPaymentsQuery),
    responses((status = 200, body = MismatchedPaymentPage)), security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn list_mismatched_payments(
    caller: Caller,
    State(outbox): State<Outbox>,
    Query(query): Query<ListMismatchedPaymentsQuery>,
) -> Result<Json<MismatchedPaymentPage>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let limit = page_limit(query.limit)?;
    let mut connection = outbox.pool().acquire().await?;
    let payments = payments::mismatched(&mut connection, query.after, limit.into()).await?;
    let items = payments.into_iter().map(MismatchedPaymentBody::from).collect();
    Ok(Json(MismatchedPaymentPage { items }))
}

impl From<MismatchedPayment> for MismatchedPaymentBody {
    fn from(payment: MismatchedPayment) -> Self {
        let MismatchedPayment { id, order, reference, paid, total, made_at } = payment;
        Self { id, order_id: order, reference, paid, total, made_at }
    }
}
