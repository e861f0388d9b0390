//! `POST /v1/orders/{id}/returns`

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use idempotency::{Executed, Request, StoredResponse, request_body};
use messaging::{Criticality, Outbox};
use problem::{Fields, IdempotencyKey, Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocabulary::{OrderId, Quantity, Sku};

use super::{
    super::access::{lock_own, require_scope},
    access::{excess_pieces, return_not_found},
    return_body::ReturnBody,
};
use crate::{
    app::{
        order_process::OrderProcess,
        request_return::{self as command, RequestReturnCommand, RequestReturnError},
    },
    domain::{MAX_LINES, ReturnNotPossible, ReturnReason},
    storage::returns,
};

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestReturnRequest {
    /// 1 to 100 lines, each SKU once.
    #[schema(required, nullable = false, min_items = 1, max_items = 100)]
    lines: Option<Vec<ReturnLineRequest>>,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReturnLineRequest {
    #[schema(value_type = Sku, required, nullable = false)]
    sku: Option<String>,
    #[schema(value_type = Quantity, required, nullable = false)]
    quantity: Option<i64>,
    /// `changed_mind`, `does_not_fit`, `not_as_described`, `wrong_item`, `damaged`, `defective`, `too_late` or `other`.
    #[schema(required, nullable = false, example = "does_not_fit")]
    reason: Option<String>,
}

/// The address of a return, without its id.
const LOCATION: &str = "/v1/returns/";

/// Announce that pieces of an order come back
///
/// Pieces that were shipped and are not in another return. Customers may do so for `RETURN_WINDOW_DAYS` days after the delivery of the
/// last parcel, operators at any time. The pieces are paid back when a warehouse has received them.
#[utoipa::path(
    post, path = "/v1/orders/{id}/returns", tag = "returns", request_body = RequestReturnRequest,
    params(
        ("id" = OrderId, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeated requests with the same key announce one return.")
    ),
    responses(
        (status = 201, description = "The return is announced; `Location` is its address.", body = ReturnBody),
        (status = 409, description = "`not_returnable`: nothing was shipped; `return_window_closed`; `too_many_returned`: more pieces than were shipped and are not in another return, `lines` has the numbers; `too_many_returns`."),
    ),
    security(("bearer" = ["orders:write"]))
)]
pub(crate) async fn request_return(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path(id): Path<OrderId>,
    key: Option<IdempotencyKey>,
    Json(request): Json<RequestReturnRequest>,
) -> Result<Executed, Problem> {
    require_scope(&caller, Scope::OrdersWrite)?;
    admit(&outbox, Criticality::Critical)?;
    let body = request_body(&request)?;
    let lines = request.parse()?;
    let operation = format!("request_return {id}");
    let request =
        Request { caller: caller.subject(), operation: &operation, key: key.as_ref(), body: &body };
    idempotency::execute(&outbox, request, async |tx| {
        let locked = lock_own(tx, &caller, id).await?;
        let is_by_shop = caller.has(Scope::OrdersAdmin);
        let command = RequestReturnCommand { locked, lines, is_by_shop };
        let requested = command::request_return(tx, &process, command).await?;
        let view = returns::get(tx, id, requested).await?;
        let body = ReturnBody::from(view.ok_or_else(|| return_not_found(requested))?);
        let location = format!("{LOCATION}{}", body.id());
        Ok(StoredResponse::json(StatusCode::CREATED, &body)?.header("location", location))
    })
    .await
}

impl RequestReturnRequest {
    fn parse(self) -> Result<Vec<(Sku, Quantity, ReturnReason)>, Problem> {
        let mut fields = Fields::new();
        let lines = fields.require("lines", self.lines).unwrap_or_default();
        if fields.is_ok() && !(1..=MAX_LINES).contains(&lines.len()) {
            fields.refuse("lines", "invalid", format!("must have 1 to {MAX_LINES} items"));
        }
        let mut parsed = BTreeMap::new();
        for (index, line) in lines.into_iter().enumerate().take(MAX_LINES) {
            let name = |field: &str| format!("lines[{index}].{field}");
            let sku = fields.require(name("sku"), line.sku);
            let sku = sku.and_then(|sku| fields.check(name("sku"), Sku::try_from(sku)));
            let quantity = fields.require(name("quantity"), line.quantity);
            let quantity = quantity
                .and_then(|pieces| fields.check(name("quantity"), Quantity::try_from(pieces)));
            let reason = fields.require(name("reason"), line.reason);
            let reason = reason
                .and_then(|reason| fields.check(name("reason"), reason.parse::<ReturnReason>()));
            let (Some(sku), Some(quantity), Some(reason)) = (sku, quantity, reason) else {
                continue;
            };
            if parsed.insert(sku, (quantity, reason)).is_some() {
                fields.refuse(name("sku"), "duplicate", "occurs in another line");
            }
        }
        fields.finish()?;
        Ok(parsed.into_iter().map(|(sku, (quantity, reason))| (sku, quantity, reason)).collect())
    }
}

impl From<RequestReturnError> for Problem {
    fn from(error: RequestReturnError) -> Self {
        let error = match error {
            RequestReturnError::NotPossible(error) => error,
            RequestReturnError::Messaging(error) => return error.into(),
        };
        let detail = format!("{error}.");
        match error {
            ReturnNotPossible::Status(status) => {
                Problem::conflict("not_returnable", "No piece of the order can come back")
                    .detail(detail)
                    .member("order_status", status.as_str())
            }
            ReturnNotPossible::WindowClosed(_) => {
                Problem::conflict("return_window_closed", "It is too late to return the order")
                    .detail(detail)
            }
            ReturnNotPossible::Excess(excess) => excess_pieces(&excess),
            ReturnNotPossible::TooManyReturns => {
                Problem::conflict("too_many_returns", "The order has too many returns")
                    .detail(detail)
            }
        }
    }
}
