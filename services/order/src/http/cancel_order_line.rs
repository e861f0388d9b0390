//! `POST /v1/orders/{id}/lines/{sku}/cancel`

use axum::{body::Bytes, extract::State, http::StatusCode};
use idempotency::{Executed, Request, StoredResponse};
use messaging::{Criticality, Outbox};
use problem::{Fields, IdempotencyKey, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use serde::Deserialize;
use utoipa::ToSchema;
use vocabulary::{OrderId, Quantity, Sku};

use super::{
    access::{lock_own, order_not_found, require_scope},
    json_bytes,
    order_body::OrderBody,
};
use crate::{
    app::{
        cancel_line::{self as command, CancelLineCommand, CancelLineError},
        order_process::OrderProcess,
    },
    domain::LineNotCancellable,
    storage::order_views,
};

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelLineRequest {
    /// How many pieces; the default is all that are left of the line.
    #[schema(value_type = Option<Quantity>)]
    quantity: Option<i64>,
}

/// Cancel a line of an order, or some of its pieces
///
/// Of an order that is paid and not shipped yet. Releases their stock and refunds what they cost: their share of the price, the discount and
/// the tax of the line. Discounts and shipping are not calculated again. To cancel everything, cancel the order.
#[utoipa::path(
    post, path = "/v1/orders/{id}/lines/{sku}/cancel", tag = "orders", request_body = Option<CancelLineRequest>,
    params(
        ("id" = OrderId, Path), ("sku" = Sku, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeated requests with the same key cancel once.")
    ),
    responses(
        (status = 200, body = OrderBody),
        (status = 404, body = Problem, description = "`not_found`: the order has no such line"),
        (status = 409, description = "`not_cancellable`: the order is not paid yet, a parcel of it has been shipped, or it has ended; `too_many_cancelled`: the line has fewer pieces; `nothing_left`: cancel the order instead."),
    ),
    security(("bearer" = ["orders:write"]))
)]
pub(crate) async fn cancel_order_line(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path((id, sku)): Path<(OrderId, Sku)>,
    key: Option<IdempotencyKey>,
    body: Bytes,
) -> Result<Executed, Problem> {
    require_scope(&caller, Scope::OrdersWrite)?;
    admit(&outbox, Criticality::Critical)?;
    let request: CancelLineRequest = if body.is_empty() {
        CancelLineRequest::default()
    } else {
        json_bytes::parse(body.clone()).await?
    };
    let mut fields = Fields::new();
    let quantity =
        request.quantity.and_then(|pieces| fields.check("quantity", Quantity::try_from(pieces)));
    fields.finish()?;
    let operation = format!("cancel_order_line {id} {sku}");
    let request =
        Request { caller: caller.subject(), operation: &operation, key: key.as_ref(), body: &body };
    idempotency::execute(&outbox, request, async |tx| {
        let locked = lock_own(tx, &caller, id).await?;
        command::cancel_line(tx, &process, CancelLineCommand { locked, sku, quantity }).await?;
        let view = order_views::get(tx, id).await?.ok_or_else(|| order_not_found(id))?;
        StoredResponse::json(StatusCode::OK, &OrderBody::from(view.without_address()))
    })
    .await
}

impl From<CancelLineError> for Problem {
    fn from(error: CancelLineError) -> Self {
        let error = match error {
            CancelLineError::NotCancellable(error) => error,
            CancelLineError::Messaging(error) => return error.into(),
        };
        let detail = format!("{error}.");
        match error {
            LineNotCancellable::Status(status, _) => {
                Problem::conflict("not_cancellable", "Lines of the order cannot be cancelled")
                    .detail(detail)
                    .member("order_status", status.as_str())
            }
            LineNotCancellable::UnknownLine => Problem::not_found("this line of the order"),
            LineNotCancellable::TooMany(kept) => {
                Problem::conflict("too_many_cancelled", "The line has fewer pieces")
                    .detail(detail)
                    .member("possible", kept)
            }
            LineNotCancellable::NothingLeft => {
                Problem::conflict("nothing_left", "Cancel the order instead").detail(detail)
            }
            LineNotCancellable::Money(_) => Problem::internal_from(&error),
        }
    }
}
