//! The HTTP face: the route table, and one file per endpoint.

mod page;
mod stock_answer;

mod get_ledger;
mod get_reservation;
mod get_stock;
mod get_warehouses;
mod post_adjustment;
mod post_stock;
mod post_warehouse;
mod put_stock;

use problem::{Fields, Problem};
use sqlx::PgConnection;
use utoipa_axum::{router::OpenApiRouter, routes};
use vocabulary::WarehouseId;

use crate::{app::AppState, storage::warehouses};

/// Every route of the service, beside those that every service has.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        // Public: what a shopper sees.
        .routes(routes!(get_stock::get_stock))
        // Scope `stock:write`.
        .routes(routes!(put_stock::put_stock))
        .routes(routes!(post_stock::post_stock))
        .routes(routes!(post_adjustment::post_adjustment))
        .routes(routes!(get_ledger::get_ledger))
        .routes(routes!(get_reservation::get_reservation))
        .routes(routes!(get_warehouses::get_warehouses))
        .routes(routes!(post_warehouse::post_warehouse))
        // Scope `ops`.
        .merge(runtime::messaging::dead_letter_routes())
}

/// An error of the kit: of the database, as far as requests are concerned.
#[expect(clippy::needless_pass_by_value, reason = "it is named in `map_err`")]
fn internal(error: messaging::Error) -> Problem {
    Problem::internal_from(&error)
}

/// The warehouse that a request means: the one it names, if there is such a one, or the default.
async fn warehouse_meant(
    connection: &mut PgConnection,
    named: Option<WarehouseId>,
) -> Result<WarehouseId, Problem> {
    let Some(named) = named else { return Ok(warehouses::DEFAULT.into()) };
    if warehouses::known(connection, &[named]).await?.is_empty() {
        let mut fields = Fields::new();
        fields.refuse("warehouse_id", "unknown_warehouse", "there is no such warehouse");
        fields.finish()?;
    }
    Ok(named)
}
