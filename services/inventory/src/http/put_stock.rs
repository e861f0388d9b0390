//! `PUT /v1/stock/{sku}`

use axum::extract::State;
use contracts::trace;
use messaging::{Kit, Worth};
use problem::{ETag, Fields, IfMatch, Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
    messaging::admit,
};
use serde::Deserialize;
use vocabulary::{Sku, WarehouseId};

use super::{
    internal,
    stock_answer::{StockAnswer, never_heard_of, refused},
    warehouse_meant,
};
use crate::{domain::MAX_ON_HAND, publishes::stock_changed, storage::stock};

/// How many pieces there are.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetStock {
    /// Pieces in the warehouse, those that are set aside for orders included.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    on_hand: i64,
    /// Which warehouse; the main one unless said.
    warehouse_id: Option<WarehouseId>,
}

/// Says how many pieces of a SKU a warehouse holds.
///
/// With `If-Match` the change is made only if the level is still of that version.
#[utoipa::path(
    put, path = "/v1/stock/{sku}", tag = "stock", params(("sku" = Sku, Path)), request_body = SetStock,
    responses(
        (status = 200, body = StockAnswer),
        (status = 404, body = Problem, description = "`not_found`: a SKU that the catalogue never had"),
        (status = 409, body = Problem, description = "`below_reserved`: more is set aside for orders"),
        (status = 412, body = Problem, description = "`precondition_failed`"),
        (status = 422, body = Problem, description = "`validation_failed`"),
    ),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn put_stock(
    caller: Caller,
    State(kit): State<Kit>,
    Path(sku): Path<Sku>,
    if_match: Option<IfMatch>,
    Json(request): Json<SetStock>,
) -> Result<(ETag, Json<StockAnswer>), Problem> {
    caller.require(Scope::StockWrite)?;
    admit(&kit, Worth::Lesser)?;
    let mut fields = Fields::new();
    if !(0..=MAX_ON_HAND).contains(&request.on_hand) {
        fields.refuse("on_hand", "out_of_range", format!("must be 0 to {MAX_ON_HAND}"));
    }
    fields.finish()?;

    let mut tx = kit.begin().await.map_err(internal)?;
    let warehouse = warehouse_meant(&mut tx, request.warehouse_id).await?;
    let mut stock = stock::lock(&mut tx, [&sku]).await?;
    let level = stock.level(&sku).ok_or_else(|| never_heard_of(&sku))?;
    if let Some(if_match) = if_match {
        if_match.check(level.version.get())?;
    }
    stock.set(&sku, warehouse, request.on_hand).map_err(|refusal| refused(&sku, refusal))?;
    let (changes, now) = (stock.finish(), clock::now());
    stock::write(&mut tx, &changes, caller.subject(), None, now).await?;
    stock_changed::say(&mut tx, &changes, now, |_| trace::current()).map_err(internal)?;
    let answer = StockAnswer::read(&mut tx, &sku).await?;
    tx.commit().await.map_err(internal)?;
    Ok((ETag(answer.version), Json(answer)))
}
