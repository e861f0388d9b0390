//! `GET /v1/warehouses`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Kit;
use problem::{Json, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use vocabulary::WarehouseId;

use super::page::{Page, Paging};
use crate::storage::warehouses::{self, DEFAULT, Warehouse};

/// A place that holds stock.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct WarehouseAnswer {
    id: WarehouseId,
    name: String,
    /// Whether it is the one that is meant where none is named.
    default: bool,
    opened_at: DateTime<Utc>,
}

impl From<Warehouse> for WarehouseAnswer {
    fn from(warehouse: Warehouse) -> Self {
        let Warehouse { id, name, opened_at } = warehouse;
        Self { id, name, default: id.as_uuid() == DEFAULT, opened_at }
    }
}

/// Every warehouse, in the order in which orders are served from them.
#[utoipa::path(
    get, path = "/v1/warehouses", tag = "warehouses", params(Paging),
    responses((status = 200, body = Page<WarehouseAnswer>)), security(("bearer" = ["stock:write"]))
)]
pub(super) async fn get_warehouses(
    caller: Caller,
    State(kit): State<Kit>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<WarehouseAnswer>>, Problem> {
    caller.require(Scope::StockWrite)?;
    let (limit, after) = (paging.limit()?, paging.after()?);
    let mut connection = kit.pool().acquire().await?;
    let rows = warehouses::list(&mut connection, after, i64::from(limit) + 1).await?;
    Ok(Json(Page::of(rows, limit, |warehouse| warehouse.id, WarehouseAnswer::from)))
}
