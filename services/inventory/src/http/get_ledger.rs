//! `GET /v1/stock/{sku}/ledger`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Kit;
use problem::{Json, Path, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use vocabulary::{OrderId, Sku, WarehouseId};

use super::{
    page::{Page, Paging},
    stock_answer::never_heard_of,
};
use crate::storage::{
    ledger::{self, Entry},
    stock,
};

/// One movement of stock.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct LedgerEntry {
    /// Its number; later movements of a SKU have larger ones.
    id: i64,
    warehouse_id: WarehouseId,
    /// `set` or `adjusted` by people, `reserved`, `released` or `deducted` for an order.
    #[schema(example = "reserved")]
    kind: String,
    /// By how much the pieces that are there changed.
    on_hand_delta: i64,
    /// By how much the pieces that are set aside changed.
    reserved_delta: i64,
    /// Pieces that were there after it.
    on_hand_after: i64,
    /// Pieces that were set aside after it.
    reserved_after: i64,
    /// For which order.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Who did it: the subject of a token, or a service.
    actor: String,
    at: DateTime<Utc>,
}

impl From<Entry> for LedgerEntry {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            warehouse_id: entry.warehouse_id.into(),
            kind: entry.kind,
            on_hand_delta: entry.on_hand_delta,
            reserved_delta: entry.reserved_delta,
            on_hand_after: entry.on_hand_after,
            reserved_after: entry.reserved_after,
            order_id: entry.order_id.map(OrderId::from),
            reason: entry.reason,
            actor: entry.actor,
            at: entry.at,
        }
    }
}

/// Every movement of a SKU, newest first.
#[utoipa::path(
    get, path = "/v1/stock/{sku}/ledger", tag = "stock", params(("sku" = Sku, Path), Paging),
    responses(
        (status = 200, body = Page<LedgerEntry>),
        (status = 404, body = Problem, description = "`not_found`: a SKU that the catalogue never had"),
    ),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn get_ledger(
    caller: Caller,
    State(kit): State<Kit>,
    Path(sku): Path<Sku>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<LedgerEntry>>, Problem> {
    caller.require(Scope::StockWrite)?;
    let (limit, before) = (paging.limit()?, paging.after()?);
    let mut connection = kit.pool().acquire().await?;
    let entries = ledger::list(&mut connection, &sku, before, i64::from(limit) + 1).await?;
    if entries.is_empty() && stock::level(&mut connection, &sku).await?.is_none() {
        return Err(never_heard_of(&sku));
    }
    Ok(Json(Page::of(entries, limit, |entry| entry.id, LedgerEntry::from)))
}
