//! `GET /v1/warehouses`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Problem, Query};
use runtime::auth::{Caller, Scope};

use super::{
    page::{Page, Paging},
    warehouse_view::WarehouseView,
};
use crate::storage::warehouses;

/// List the warehouses
///
/// The oldest first.
#[utoipa::path(
    get, path = "/v1/warehouses", tag = "warehouses", params(Paging),
    responses((status = 200, body = Page<WarehouseView>)), security(("bearer" = ["stock:write"]))
)]
pub(super) async fn list_warehouses(
    caller: Caller,
    State(outbox): State<Outbox>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<WarehouseView>>, Problem> {
    caller.require(Scope::StockWrite)?;
    let (limit, after) = (paging.limit()?, paging.after()?);
    let mut connection = outbox.pool().acquire().await?;
    let rows = warehouses::list(&mut connection, after, i64::from(limit) + 1).await?;
    Ok(Json(Page::new(rows, limit, |warehouse| warehouse.id, WarehouseView::from)))
}
