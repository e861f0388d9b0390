//! `POST /v1/warehouses`

use axum::{extract::State, http::StatusCode};
use idempotency::{Executed, Request, StoredResponse, request_body};
use messaging::Outbox;
use problem::{IdempotencyKey, Json, Problem};
use runtime::auth::{Caller, Scope};

use super::{
    warehouse_draft::WarehouseDraft,
    warehouse_view::{WarehouseView, warehouse_name_taken},
};
use crate::{
    app::{self, CreateWarehouseCommand, CreateWarehouseError},
    domain::MAX_WAREHOUSES,
};

/// Create a warehouse
///
/// Of several warehouses that would do, the one with the highest priority serves an order, then the nearest, then the oldest.
#[utoipa::path(
    post, path = "/v1/warehouses", tag = "warehouses",
    params(("Idempotency-Key" = Option<String>, Header, description = "a repetition with the same key and body has no further effect")),
    request_body = WarehouseDraft,
    responses(
        (status = 201, body = WarehouseView),
        (status = 409, body = Problem, description = "`warehouse_name_taken` or `too_many_warehouses`"),
        (status = 422, body = Problem, description = "`validation_failed` or `idempotency_key_reused`"),
    ),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn create_warehouse(
    caller: Caller,
    State(outbox): State<Outbox>,
    key: Option<IdempotencyKey>,
    Json(warehouse): Json<WarehouseDraft>,
) -> Result<Executed, Problem> {
    caller.require(Scope::StockWrite)?;
    let body = request_body(&warehouse)?;
    let (name, site) = warehouse.parse()?;
    let request = Request {
        caller: caller.subject(),
        operation: "open_warehouse",
        key: key.as_ref(),
        body: &body,
    };
    idempotency::execute(&outbox, request, async |tx| {
        let command = CreateWarehouseCommand { name, site };
        let warehouse = app::create_warehouse(tx, command).await.map_err(not_created)?;
        StoredResponse::json(StatusCode::CREATED, &WarehouseView::from(warehouse))
    })
    .await
}

fn not_created(error: CreateWarehouseError) -> Problem {
    match error {
        CreateWarehouseError::TooMany => {
            Problem::conflict("too_many_warehouses", "There are too many warehouses")
                .detail(format!("The limit is {MAX_WAREHOUSES}."))
        }
        CreateWarehouseError::NameTaken => warehouse_name_taken(),
        CreateWarehouseError::Database(error) => error.into(),
    }
}
