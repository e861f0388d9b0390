//! The HTTP API: the route table, and one file per endpoint.

mod page;
mod stock_view;
mod warehouse_draft;
mod warehouse_view;

mod create_adjustment;
mod create_warehouse;
mod get_reservation;
mod get_stock;
mod list_ledger;
mod list_warehouses;
mod set_stock;
mod set_stock_batch;
mod update_warehouse;

use problem::{Fields, Problem};
use sqlx::PgConnection;
use utoipa_axum::{router::OpenApiRouter, routes};
use vocabulary::WarehouseId;

use crate::{domain::DEFAULT_WAREHOUSE, state::AppState, storage::warehouses};

/// The routes of the service.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        // Public; the stock per warehouse needs `stock:write`.
        .routes(routes!(get_stock::get_stock))
        // Scope `stock:write`.
        .routes(routes!(set_stock::set_stock))
        .routes(routes!(set_stock_batch::set_stock_batch))
        .routes(routes!(create_adjustment::create_adjustment))
        .routes(routes!(list_ledger::list_ledger))
        .routes(routes!(get_reservation::get_reservation))
        .routes(routes!(list_warehouses::list_warehouses))
        .routes(routes!(create_warehouse::create_warehouse))
        .routes(routes!(update_warehouse::update_warehouse))
        // Scope `ops`.
        .merge(runtime::operations::routes())
}

/// The warehouse of a request: the named one if it exists, or the default.
async fn warehouse_or_default(
    connection: &mut PgConnection,
    named: Option<WarehouseId>,
) -> Result<WarehouseId, Problem> {
    let Some(named) = named else { return Ok(DEFAULT_WAREHOUSE.into()) };
    if warehouses::existing(connection, &[named]).await?.is_empty() {
        let mut fields = Fields::new();
        fields.refuse("warehouse_id", "unknown_warehouse", "this warehouse does not exist");
        fields.finish()?;
    }
    Ok(named)
}
