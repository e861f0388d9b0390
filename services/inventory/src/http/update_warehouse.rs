//! `PUT /v1/warehouses/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::WarehouseId;

use super::{
    warehouse_draft::WarehouseDraft,
    warehouse_view::{WarehouseView, warehouse_name_taken},
};
use crate::app::{self, UpdateWarehouseCommand, UpdateWarehouseError};

/// Change a warehouse
///
/// What is absent gets its default. Orders that are reserved later follow the change.
#[utoipa::path(
    put, path = "/v1/warehouses/{id}", tag = "warehouses", params(("id" = WarehouseId, Path)),
    request_body = WarehouseDraft,
    responses(
        (status = 200, body = WarehouseView),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 409, body = Problem, description = "`warehouse_name_taken`"),
        (status = 422, body = Problem, description = "`validation_failed`"),
    ),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn update_warehouse(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<WarehouseId>,
    Json(warehouse): Json<WarehouseDraft>,
) -> Result<Json<WarehouseView>, Problem> {
    caller.require(Scope::StockWrite)?;
    let (name, site) = warehouse.parse()?;
    let mut tx = outbox.begin().await?;
    let command = UpdateWarehouseCommand { id, name, site };
    let updated = app::update_warehouse(&mut tx, &command).await;
    let warehouse = updated.map_err(|error| not_updated(id, error))?;
    tx.commit().await?;
    Ok(Json(warehouse.into()))
}

fn not_updated(id: WarehouseId, error: UpdateWarehouseError) -> Problem {
    match error {
        UpdateWarehouseError::Unknown => Problem::not_found(format_args!("warehouse {id}")),
        UpdateWarehouseError::NameTaken => warehouse_name_taken(),
        UpdateWarehouseError::Database(error) => error.into(),
    }
}
