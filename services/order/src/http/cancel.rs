//! `POST /v1/orders/{id}/cancel`: calls an order off before it is shipped.

use axum::extract::State;
use messaging::{Kit, Worth};
use problem::{Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
    messaging::admit,
};
use vocabulary::OrderId;

use super::{
    access::{no_such, require_of, require_some},
    order_body::OrderBody,
};
use crate::{
    domain::{self, Reason, Status},
    process::{Caused, Process},
    storage::{orders, shown},
};

/// Calls an order off before it is shipped. What was paid is given back, what was set aside is released. An order that has
/// been called off already stays as it is.
#[utoipa::path(
    post, path = "/v1/orders/{id}/cancel", tag = "orders", params(("id" = OrderId, Path)),
    responses(
        (status = 200, body = OrderBody),
        (status = 409, description = "`not_cancellable`: it has been shipped, or has ended otherwise."),
    ),
    security(("bearer" = ["orders:write"]))
)]
pub(crate) async fn cancel(
    caller: Caller,
    State(kit): State<Kit>,
    State(process): State<Process>,
    Path(id): Path<OrderId>,
) -> Result<Json<OrderBody>, Problem> {
    require_some(&caller, Scope::OrdersWrite)?;
    admit(&kit, Worth::Essential)?;
    let internal = |error: messaging::Error| Problem::internal_from(&error);
    let mut tx = kit.begin().await.map_err(internal)?;
    let locked = orders::lock_one(&mut tx, id).await?.ok_or_else(|| no_such(id))?;
    require_of(&caller, Scope::OrdersWrite, locked.order.customer)?;
    if locked.order.status() != Status::Cancelled {
        let now = clock::now();
        let own = caller.subject() == locked.order.customer.to_string();
        let taken = domain::cancel(locked.order, reason(own), now).map_err(|invalid| {
            Problem::conflict("not_cancellable", "The order cannot be cancelled any more")
                .detail(format!("{invalid}."))
                .member("status", invalid.order.status().as_str())
        })?;
        let change = Caused { cause: contracts::trace::current().or(locked.trace), taken };
        process.write(&mut tx, &[change], now).await.map_err(internal)?;
    }
    let shown = shown::one(&mut tx, id).await?.ok_or_else(|| no_such(id))?;
    tx.commit().await.map_err(internal)?;
    Ok(Json(shown.into()))
}

fn reason(own: bool) -> Reason {
    if own {
        Reason::new("cancelled_by_customer", "The customer called the order off.")
    } else {
        Reason::new("cancelled_by_shop", "The shop called the order off.")
    }
}
