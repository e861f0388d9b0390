//! `GET /v1/stock/{sku}/ledger`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Path, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use vocabulary::{OrderId, Sku, WarehouseId};

use super::{
    page::{Page, Paging},
    stock_view::unknown_sku,
};
use crate::{
    domain::LedgerEntry,
    storage::{ledger, stock},
};

/// One movement of stock.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = LedgerEntry)]
pub(super) struct LedgerEntryView {
    /// Later movements of a SKU have larger ids.
    id: i64,
    warehouse_id: WarehouseId,
    /// `set` or `adjusted` over HTTP, `set` by the count of an import; `reserved`, `released`, `deducted`,
    /// `returned` or `written_off` for an order.
    #[schema(example = "reserved")]
    kind: String,
    on_hand_delta: i64,
    reserved_delta: i64,
    /// Pieces on hand after the movement.
    on_hand_after: i64,
    /// Reserved pieces after the movement.
    reserved_after: i64,
    /// The order that caused the movement.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The subject of a token, or the service whose event caused the movement.
    actor: String,
    at: DateTime<Utc>,
}

impl From<LedgerEntry> for LedgerEntryView {
    fn from(entry: LedgerEntry) -> Self {
        Self {
            id: entry.id,
            warehouse_id: entry.warehouse,
            kind: entry.kind,
            on_hand_delta: entry.on_hand_delta,
            reserved_delta: entry.reserved_delta,
            on_hand_after: entry.on_hand_after,
            reserved_after: entry.reserved_after,
            order_id: entry.order,
            reason: entry.reason,
            actor: entry.actor,
            at: entry.at,
        }
    }
}

/// List the stock movements of a SKU
///
/// The newest movement comes first.
#[utoipa::path(
    get, path = "/v1/stock/{sku}/ledger", tag = "stock", params(("sku" = Sku, Path), Paging),
    responses(
        (status = 200, body = Page<LedgerEntryView>),
        (status = 404, body = Problem, description = "`not_found`: no product ever listed the SKU"),
    ),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn list_ledger(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(sku): Path<Sku>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<LedgerEntryView>>, Problem> {
    caller.require(Scope::StockWrite)?;
    let (limit, before) = (paging.limit()?, paging.after()?);
    let mut connection = outbox.pool().acquire().await?;
    let entries = ledger::list(&mut connection, &sku, before, i64::from(limit) + 1).await?;
    if entries.is_empty() && stock::find(&mut connection, &sku).await?.is_none() {
        return Err(unknown_sku(&sku));
    }
    Ok(Json(Page::new(entries, limit, |entry| entry.id, LedgerEntryView::from)))
}
