//! `POST /v1/returns/{id}/receipt`

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
use vocabulary::{ReturnId, Sku, WarehouseId};

use super::{
    super::access::require_scope,
    access::{excess_pieces, lock_return, return_not_found},
    return_body::ReturnBody,
};
use crate::{
    app::{
        decide_return::{
            self as command, DecideReturnCommand, DecideReturnError, WarehouseDecision,
        },
        order_process::OrderProcess,
    },
    domain::{MAX_LINES, ReceivedLine, ReturnDecisionRefused, ReturnReceipt},
    storage::returns,
};

/// The largest number of pieces of a line.
const MAX_PIECES: u32 = 1_000_000;

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiveReturnRequest {
    /// Where the pieces are. Default: where the order came from, if that was one warehouse, or else the main warehouse.
    #[serde(skip_serializing_if = "Option::is_none")]
    warehouse_id: Option<WarehouseId>,
    /// What arrived: 1 to 100 lines, each SKU once. What is missing may be announced again.
    #[schema(required, nullable = false, min_items = 1, max_items = 100)]
    lines: Option<Vec<ReceivedLineRequest>>,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReceivedLineRequest {
    #[schema(value_type = Sku, required, nullable = false)]
    sku: Option<String>,
    /// Pieces that can be sold again.
    #[serde(default)]
    restocked: u32,
    /// Pieces that cannot be sold any more.
    #[serde(default)]
    written_off: u32,
}

/// Receive a return in a warehouse
///
/// The stock gets what can be sold again, and the customer gets back what the pieces cost. Shipping is paid back when all pieces of the
/// order have come back.
#[utoipa::path(
    post, path = "/v1/returns/{id}/receipt", tag = "returns", request_body = ReceiveReturnRequest,
    params(
        ("id" = ReturnId, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeated requests with the same key get the same response.")
    ),
    responses(
        (status = 200, body = ReturnBody),
        (status = 409, description = "`return_closed`: it was received or refused before; `too_many_returned`: more pieces than were announced, `lines` has the numbers."),
    ),
    security(("bearer" = ["stock:write"]), ("bearer" = ["orders:admin"]))
)]
pub(crate) async fn receive_return(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path(id): Path<ReturnId>,
    key: Option<IdempotencyKey>,
    Json(request): Json<ReceiveReturnRequest>,
) -> Result<Executed, Problem> {
    require_scope(&caller, Scope::StockWrite)?;
    admit(&outbox, Criticality::Critical)?;
    let body = request_body(&request)?;
    let receipt = request.parse()?;
    let operation = format!("receive_return {id}");
    let request =
        Request { caller: caller.subject(), operation: &operation, key: key.as_ref(), body: &body };
    idempotency::execute(&outbox, request, async |tx| {
        let (locked, order_return) = lock_return(tx, id).await?;
        let order = locked.order.id;
        let decision = WarehouseDecision::Receive(receipt);
        let command = DecideReturnCommand { locked, order_return, decision };
        command::decide_return(tx, &process, command).await?;
        let view = returns::get(tx, order, id).await?.ok_or_else(|| return_not_found(id))?;
        StoredResponse::json(StatusCode::OK, &ReturnBody::from(view))
    })
    .await
}

impl ReceiveReturnRequest {
    fn parse(self) -> Result<ReturnReceipt, Problem> {
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
            let (restocked, written_off) = (line.restocked, line.written_off);
            let pieces = restocked.saturating_add(written_off);
            if !(1..=MAX_PIECES).contains(&pieces) {
                let message = format!("both together must be 1 to {MAX_PIECES}");
                fields.refuse(name("restocked"), "out_of_range", message);
            }
            let Some(sku) = sku else { continue };
            if parsed.insert(sku, (restocked, written_off)).is_some() {
                fields.refuse(name("sku"), "duplicate", "occurs in another line");
            }
        }
        fields.finish()?;
        let line = |(sku, (restocked, written_off))| ReceivedLine { sku, restocked, written_off };
        Ok(ReturnReceipt {
            warehouse: self.warehouse_id,
            lines: parsed.into_iter().map(line).collect(),
        })
    }
}

impl From<DecideReturnError> for Problem {
    fn from(error: DecideReturnError) -> Self {
        match error {
            DecideReturnError::Refused(ReturnDecisionRefused::Excess(excess)) => {
                excess_pieces(&excess)
            }
            DecideReturnError::Refused(ReturnDecisionRefused::Closed(state)) => {
                Problem::conflict("return_closed", "The return is decided already")
                    .detail(format!("The return is {state}."))
                    .member("return_state", state)
            }
            DecideReturnError::Refused(error @ ReturnDecisionRefused::Money(_)) => {
                Problem::internal_from(&error)
            }
            DecideReturnError::Messaging(error) => error.into(),
        }
    }
}
