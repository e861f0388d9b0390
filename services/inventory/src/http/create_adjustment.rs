//! `POST /v1/stock/{sku}/adjustments`

use axum::{extract::State, http::StatusCode};
use idempotency::{Executed, Request, StoredResponse, request_body};
use messaging::{Criticality, Outbox};
use problem::{Fields, IdempotencyKey, Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use serde::{Deserialize, Serialize};
use vocabulary::{Sku, WarehouseId};

use super::{
    stock_view::{StockView, stock_not_changed},
    warehouse_or_default,
};
use crate::{
    app::{self, AdjustStockCommand},
    domain::{LowStock, MAX_ON_HAND},
    storage::stock,
};

/// The maximum length of a reason, in characters.
const MAX_REASON: usize = 200;

/// A change of the pieces on hand.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Adjustment {
    /// Pieces to add or, if negative, to remove; not zero.
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    delta: i64,
    /// Written to the ledger.
    #[schema(min_length = 1, max_length = 200, example = "damaged in transit")]
    reason: String,
    /// Default: the main warehouse.
    warehouse_id: Option<WarehouseId>,
}

impl Adjustment {
    fn validate(&self) -> Result<(), Problem> {
        let mut fields = Fields::new();
        if self.delta == 0 || !(-MAX_ON_HAND..=MAX_ON_HAND).contains(&self.delta) {
            let message = format!("must be -{MAX_ON_HAND} to {MAX_ON_HAND}, and not 0");
            fields.refuse("delta", "out_of_range", message);
        }
        let reason = self.reason.as_str();
        let fits = (1..=MAX_REASON).contains(&reason.chars().count());
        if !fits || reason.trim().is_empty() || reason.chars().any(char::is_control) {
            let message =
                format!("must be 1 to {MAX_REASON} characters without control characters");
            fields.refuse("reason", "invalid", message);
        }
        fields.finish()
    }
}

/// Adjust the stock of a SKU in a warehouse
///
/// The response shows the stock after the adjustment.
#[utoipa::path(
    post, path = "/v1/stock/{sku}/adjustments", tag = "stock",
    params(
        ("sku" = Sku, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "a repetition with the same key and body has no further effect"),
    ),
    request_body = Adjustment,
    responses(
        (status = 201, body = StockView),
        (status = 404, body = Problem, description = "`not_found`: no product ever listed the SKU"),
        (status = 409, body = Problem, description = "`insufficient_stock`: fewer pieces are available"),
        (status = 422, body = Problem, description = "`validation_failed` or `idempotency_key_reused`"),
    ),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn create_adjustment(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(low): State<LowStock>,
    Path(sku): Path<Sku>,
    key: Option<IdempotencyKey>,
    Json(adjustment): Json<Adjustment>,
) -> Result<Executed, Problem> {
    caller.require(Scope::StockWrite)?;
    admit(&outbox, Criticality::Deferrable)?;
    adjustment.validate()?;
    let body = request_body(&(&sku, &adjustment))?;
    let request = Request {
        caller: caller.subject(),
        operation: "adjust_stock",
        key: key.as_ref(),
        body: &body,
    };
    idempotency::execute(&outbox, request, async |tx| {
        let warehouse = warehouse_or_default(tx, adjustment.warehouse_id).await?;
        let stock = stock::lock(tx, [&sku]).await?;
        let Adjustment { delta, reason, .. } = adjustment;
        let command = AdjustStockCommand { sku, warehouse, delta, reason };
        app::adjust_stock(tx, low, stock, &command, caller.subject())
            .await
            .map_err(|error| stock_not_changed(&command.sku, error))?;
        let view = StockView::read(tx, low, &command.sku).await?;
        StoredResponse::json(StatusCode::CREATED, &view)
    })
    .await
}
