//! `POST /v1/orders/{id}/extend-hold`

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
        extend_hold::{self as command, ExtendHoldCommand, ExtendHoldError},
        order_process::OrderProcess,
    },
    domain::HoldNotExtendable,
    storage::order_views,
};

/// Hold the stock of an unpaid order for longer
///
/// Once per order, by the time for which it was held at first. `expires_at` is the new end.
#[utoipa::path(
    post, path = "/v1/orders/{id}/extend-hold", tag = "orders", params(("id" = OrderId, Path)),
    responses(
        (status = 200, body = OrderBody),
        (status = 409, description = "`hold_not_extendable`: the order is not reserved, or its hold was extended before."),
    ),
    security(("bearer" = ["orders:write"]))
)]
pub(crate) async fn extend_hold(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path(id): Path<OrderId>,
) -> Result<Json<OrderBody>, Problem> {
    require_scope(&caller, Scope::OrdersWrite)?;
    admit(&outbox, Criticality::Critical)?;
    let mut tx = outbox.begin().await?;
    let locked = lock_own(&mut tx, &caller, id).await?;
    command::extend_hold(&mut tx, &process, ExtendHoldCommand { locked }).await?;
    let view = order_views::get(&mut tx, id).await?.ok_or_else(|| order_not_found(id))?;
    tx.commit().await?;
    Ok(Json(view.into()))
}

impl From<ExtendHoldError> for Problem {
    fn from(error: ExtendHoldError) -> Self {
        match error {
            ExtendHoldError::NotExtendable(error) => {
                let title = "The stock cannot be held for longer";
                let problem = Problem::conflict("hold_not_extendable", title);
                match error {
                    HoldNotExtendable::NotReserved(status) => {
                        problem.detail(format!("{error}.")).member("order_status", status.as_str())
                    }
                    HoldNotExtendable::ExtendedBefore => problem.detail(format!("{error}.")),
                }
            }
            ExtendHoldError::Messaging(error) => error.into(),
        }
    }
}
