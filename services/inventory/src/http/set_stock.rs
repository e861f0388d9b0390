//! `PUT /v1/stock/{sku}`

use axum::extract::State;
use messaging::{Criticality, Outbox};
use problem::{ETag, Fields, IfMatch, Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use serde::{Deserialize, Deserializer};
use vocabulary::{Sku, WarehouseId};

use super::{
    stock_view::{StockView, stock_not_changed, unknown_sku},
    warehouse_or_default,
};
use crate::{
    app::{self, SetStockCommand},
    domain::{LowStock, MAX_ON_HAND, ThresholdChange},
    storage::stock,
};

/// The new level of a SKU in a warehouse.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetStock)]
pub(super) struct SetStockRequest {
    /// Pieces in the warehouse, reserved ones included.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    on_hand: i64,
    /// Default: the main warehouse.
    warehouse_id: Option<WarehouseId>,
    /// Available pieces of the SKU, in all warehouses, at which it is low. Null for the setting of the shop; absent to leave it.
    #[serde(default, deserialize_with = "threshold_change")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000)]
    low_stock_threshold: ThresholdChange,
}

/// Null removes the threshold; an absent field is not read.
fn threshold_change<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<ThresholdChange, D::Error> {
    let threshold = Option::deserialize(deserializer)?;
    Ok(threshold.map_or(ThresholdChange::Remove, ThresholdChange::At))
}

impl SetStockRequest {
    fn validate(&self) -> Result<(), Problem> {
        let mut fields = Fields::new();
        if !(0..=MAX_ON_HAND).contains(&self.on_hand) {
            fields.refuse("on_hand", "out_of_range", format!("must be 0 to {MAX_ON_HAND}"));
        }
        if let ThresholdChange::At(threshold) = self.low_stock_threshold
            && !(0..=MAX_ON_HAND).contains(&threshold)
        {
            let message = format!("must be 0 to {MAX_ON_HAND}");
            fields.refuse("low_stock_threshold", "out_of_range", message);
        }
        fields.finish()
    }
}

/// Set the stock of a SKU in a warehouse
///
/// With `If-Match`, the stock changes only if it still has that version.
#[utoipa::path(
    put, path = "/v1/stock/{sku}", tag = "stock", params(("sku" = Sku, Path)), request_body = SetStockRequest,
    responses(
        (status = 200, body = StockView),
        (status = 404, body = Problem, description = "`not_found`: no product ever listed the SKU"),
        (status = 409, body = Problem, description = "`below_reserved`: more pieces are reserved for orders"),
        (status = 412, body = Problem, description = "`precondition_failed`"),
        (status = 422, body = Problem, description = "`validation_failed`"),
    ),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn set_stock(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(low): State<LowStock>,
    Path(sku): Path<Sku>,
    if_match: Option<IfMatch>,
    Json(request): Json<SetStockRequest>,
) -> Result<(ETag, Json<StockView>), Problem> {
    caller.require(Scope::StockWrite)?;
    admit(&outbox, Criticality::Deferrable)?;
    request.validate()?;

    let mut tx = outbox.begin().await?;
    let warehouse = warehouse_or_default(&mut tx, request.warehouse_id).await?;
    let stock = stock::lock(&mut tx, [&sku]).await?;
    let current = stock.get(&sku).ok_or_else(|| unknown_sku(&sku))?;
    if let Some(if_match) = if_match {
        if_match.check(current.version.get())?;
    }
    let (on_hand, threshold) = (request.on_hand, request.low_stock_threshold);
    let command = SetStockCommand { sku, warehouse, on_hand, threshold };
    app::set_stock(&mut tx, low, stock, &command, caller.subject())
        .await
        .map_err(|error| stock_not_changed(&command.sku, error))?;
    let view = StockView::read(&mut tx, low, &command.sku).await?;
    tx.commit().await?;
    Ok((ETag(view.version), Json(view)))
}
