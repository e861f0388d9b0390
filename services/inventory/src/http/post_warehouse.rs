//! `POST /v1/warehouses`

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use idempotency::{Answer, Claim, Request};
use messaging::Kit;
use problem::{Fields, IdempotencyKey, Json, OnConstraint as _, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
};
use serde::{Deserialize, Serialize};
use vocabulary::WarehouseId;

use super::{get_warehouses::WarehouseAnswer, internal};
use crate::storage::warehouses::{self, Warehouse};

/// The most warehouses there may be: every order looks at each of them.
const MAX_WAREHOUSES: i64 = 100;

/// The most characters of a name.
const MAX_NAME: usize = 100;

/// A warehouse to be opened.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWarehouse {
    /// What people call it; no two have the same name.
    #[schema(min_length = 1, max_length = 100, example = "Hangzhou")]
    name: String,
}

impl NewWarehouse {
    fn check(&self) -> Result<(), Problem> {
        let mut fields = Fields::new();
        let fits = (1..=MAX_NAME).contains(&self.name.chars().count());
        if !fits || self.name.trim() != self.name || self.name.chars().any(char::is_control) {
            let message = format!(
                "must be 1 to {MAX_NAME} characters, without control characters or blanks around them"
            );
            fields.refuse("name", "invalid", message);
        }
        fields.finish()
    }
}

/// Opens a warehouse. Orders are served from it after those that were opened before.
#[utoipa::path(
    post, path = "/v1/warehouses", tag = "warehouses",
    params(("Idempotency-Key" = Option<String>, Header, description = "the same key and body have one effect")),
    request_body = NewWarehouse,
    responses(
        (status = 201, body = WarehouseAnswer),
        (status = 409, body = Problem, description = "`warehouse_name_taken` or `too_many_warehouses`"),
        (status = 422, body = Problem, description = "`validation_failed` or `idempotency_key_reused`"),
    ),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn post_warehouse(
    caller: Caller,
    State(kit): State<Kit>,
    key: Option<IdempotencyKey>,
    Json(request): Json<NewWarehouse>,
) -> Result<Response, Problem> {
    caller.require(Scope::StockWrite)?;
    request.check()?;
    let body = serde_json::to_vec(&request).map_err(|error| Problem::internal_from(&error))?;

    let mut tx = kit.begin().await.map_err(internal)?;
    let claim = Request {
        caller: caller.subject(),
        operation: "open_warehouse",
        key: key.as_ref(),
        body: &body,
    };
    let claim = match idempotency::claim(&mut tx, claim).await? {
        Claim::Answered(answer) => return Ok(answer.into_response()),
        Claim::Mine(claim) => claim,
    };
    if warehouses::count(&mut tx).await? >= MAX_WAREHOUSES {
        return Err(Problem::conflict("too_many_warehouses", "There are too many warehouses")
            .detail(format!("There may be {MAX_WAREHOUSES}.")));
    }
    let warehouse =
        Warehouse { id: WarehouseId::new(), name: request.name, opened_at: clock::now() };
    warehouses::insert(&mut tx, &warehouse).await.on_constraint("warehouse_name_key", || {
        Problem::conflict("warehouse_name_taken", "Another warehouse has this name")
    })?;
    let answer = Answer::json(StatusCode::CREATED, &WarehouseAnswer::from(warehouse))?;
    claim.record(&mut tx, &answer).await?;
    tx.commit().await.map_err(internal)?;
    Ok(answer.into_response())
}
