//! `POST /v1/orders`: places an order.

mod group_commit;
mod request;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use messaging::{Kit, Worth};
use problem::{IdempotencyKey, Json, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use vocabulary::OrderId;

pub(crate) use self::group_commit::Placing;
use self::{
    group_commit::{Keyed, Wish},
    request::PlaceOrder,
};
use super::{
    access::{require_of, require_some},
    order_body::OrderBody,
};

/// Places an order.
///
/// It is answered once the order is durable; whether its stock could be reserved and its payment was approved is told by
/// `GET /v1/orders/{id}?wait_for=confirmed`. Prices are the shop's own.
#[utoipa::path(
    post, path = "/v1/orders", tag = "orders", request_body = PlaceOrder,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request the same order.")),
    responses(
        (status = 202, description = "The order is taken; `Location` is where it is read.", body = OrderBody),
        (status = 422, description = "Fields are not valid, a SKU is not for sale, or currencies are mixed."),
        (status = 503, description = "`busy` or `outbox_full`: more orders wait than can be taken; try again after `Retry-After`."),
    ),
    security(("bearer" = ["orders:write"]))
)]
pub(crate) async fn place(
    caller: Caller,
    State(kit): State<Kit>,
    State(placing): State<Placing>,
    key: Option<IdempotencyKey>,
    Json(request): Json<PlaceOrder>,
) -> Result<Response, Problem> {
    require_some(&caller, Scope::OrdersWrite)?;
    admit(&kit, Worth::Essential)?;
    let key = key.map(|key| Keyed::new(caller.subject(), key, &request)).transpose()?;
    let (draft, address) = request.check(OrderId::new())?;
    require_of(&caller, Scope::OrdersWrite, draft.customer)?;
    let wish = Wish { draft, address, key, trace: contracts::trace::current() };
    Ok(placing.place(wish).await?.into_response())
}
