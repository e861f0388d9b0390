//! `POST /v1/warehouses`

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use idempotency::{Claim, Request, StoredResponse};
use messaging::Outbox;
use problem::{Fields, IdempotencyKey, Json, Problem};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize};

use super::warehouse_view::WarehouseView;
use crate::{
    app::{self, CreateWarehouseCommand, CreateWarehouseError},
    domain::MAX_WAREHOUSES,
};

/// The maximum length of a name, in characters.
const MAX_NAME: usize = 100;

/// A warehouse to create.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWarehouse {
    /// Unique among all warehouses.
    #[schema(min_length = 1, max_length = 100, example = "Hangzhou")]
    name: String,
}

impl NewWarehouse {
    fn validate(&self) -> Result<(), Problem> {
        let mut fields = Fields::new();
        let fits = (1..=MAX_NAME).contains(&self.name.chars().count());
        if !fits || self.name.trim() != self.name || self.name.chars().any(char::is_control) {
            let message = format!(
                "must be 1 to {MAX_NAME} characters without control characters or surrounding spaces"
            );
            fields.refuse("name", "invalid", message);
        }
        fields.finish()
    }
}

/// Create a warehouse
///
/// It serves orders after all older warehouses.
#[utoipa::path(
    post, path = "/v1/warehouses", tag = "warehouses",
    params(("Idempotency-Key" = Option<String>, Header, description = "a repetition with the same key and body has no further effect")),
    request_body = NewWarehouse,
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
    Json(warehouse): Json<NewWarehouse>,
) -> Result<Response, Problem> {
    caller.require(Scope::StockWrite)?;
    warehouse.validate()?;
    let body = serde_json::to_vec(&warehouse).map_err(|error| Problem::internal_from(&error))?;

    let mut tx = outbox.begin().await?;
    let request = Request {
        caller: caller.subject(),
        operation: "open_warehouse",
        key: key.as_ref(),
        body: &body,
    };
    let key = match idempotency::claim(&mut tx, request).await? {
        Claim::Replay(response) => return Ok(response.into_response()),
        Claim::Acquired(key) => key,
    };
    let command = CreateWarehouseCommand { name: warehouse.name };
    let warehouse = app::create_warehouse(&mut tx, command).await.map_err(not_created)?;
    let response = StoredResponse::json(StatusCode::CREATED, &WarehouseView::from(warehouse))?;
    key.record(&mut tx, &response).await?;
    tx.commit().await?;
    Ok(response.into_response())
}

fn not_created(error: CreateWarehouseError) -> Problem {
    match error {
        CreateWarehouseError::TooMany => {
            Problem::conflict("too_many_warehouses", "There are too many warehouses")
                .detail(format!("The limit is {MAX_WAREHOUSES}."))
        }
        CreateWarehouseError::NameTaken => {
            Problem::conflict("warehouse_name_taken", "Another warehouse has this name")
        }
        CreateWarehouseError::Database(error) => error.into(),
    }
}
