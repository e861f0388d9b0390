//! `POST /v1/orders/{id}/cancel`

use axum::extract::State;
use messaging::{Criticality, Outbox};
use problem::{Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use vocabulary::OrderId;

use super::{
    access::{lock_own, order_not_found, require_scope},
    order_body::OrderBody,
};
use crate::{
    app::{
        cancel_order::{self as command, CancelOrderCommand, CancelOrderError, CancelledBy},
        order_process::OrderProcess,
    },
    storage::order_views,
};

/// Cancel an order
///
/// Refunds the payment and releases the reserved stock. A cancelled order stays as it is.
#[utoipa::path(
    post, path = "/v1/orders/{id}/cancel", tag = "orders", params(("id" = OrderId, Path)),
    responses(
        (status = 200, body = OrderBody),
        (status = 409, description = "`not_cancellable`: a parcel of the order has been shipped, or the order has ended."),
    ),
    security(("bearer" = ["orders:write"]))
)]
pub(crate) async fn cancel_order(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path(id): Path<OrderId>,
) -> Result<Json<OrderBody>, Problem> {
    require_scope(&caller, Scope::OrdersWrite)?;
    admit(&outbox, Criticality::Critical)?;
    let mut tx = outbox.begin().await?;
    let locked = lock_own(&mut tx, &caller, id).await?;
    let cancelled_by = if caller.subject() == locked.order.customer.to_string() {
        CancelledBy::Customer
    } else {
        CancelledBy::Shop
    };
    let command = CancelOrderCommand { locked, cancelled_by };
    command::cancel_order(&mut tx, &process, command).await?;
    let view = order_views::get(&mut tx, id).await?.ok_or_else(|| order_not_found(id))?;
    tx.commit().await?;
    Ok(Json(view.into()))
}

impl From<CancelOrderError> for Problem {
    fn from(error: CancelOrderError) -> Self {
        match error {
            CancelOrderError::NotCancellable(invalid) => {
                Problem::conflict("not_cancellable", "The order cannot be cancelled any more")
                    .detail(format!("{invalid}."))
                    .member("order_status", invalid.order.status().as_str())
            }
            CancelOrderError::Messaging(error) => error.into(),
        }
    }
}
