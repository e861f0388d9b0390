//! `POST /v1/stock`

use std::collections::{BTreeSet, HashSet};

use axum::extract::State;
use messaging::{Criticality, Outbox};
use problem::{Fields, Json, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use vocabulary::{Sku, WarehouseId};

use super::stock_view::refusal_code;
use crate::{
    app::{self, SetStockCommand},
    domain::{DEFAULT_WAREHOUSE, LowStock, MAX_ON_HAND, ThresholdChange},
    storage::{stock, warehouses},
};

/// The maximum number of lines in a request.
const MAX_LINES: usize = 1000;

/// The new level of one SKU in a warehouse.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StockLine {
    #[schema(example = "KB-F87-RED")]
    sku: String,
    /// Pieces in the warehouse, reserved ones included: 0 to 1,000,000,000.
    on_hand: i64,
    /// Default: the main warehouse.
    warehouse_id: Option<WarehouseId>,
}

/// The result of each line, in the order of the request.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct StockLineResults {
    items: Vec<StockLineResult>,
    /// The number of lines that were set or unchanged.
    accepted: usize,
    /// The number of refused lines.
    refused: usize,
}

/// The result of one line.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StockLineResult {
    /// As sent.
    sku: String,
    status: StockLineStatus,
    /// Why the line was refused: `invalid_sku`, `unknown_sku`, `unknown_warehouse`, `out_of_range`,
    /// `below_reserved` or `repeated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    code: Option<&'static str>,
}

impl StockLineResult {
    /// `result` tells whether the level changed, or why the line was refused.
    fn new(sku: String, result: Result<bool, &'static str>) -> Self {
        match result {
            Ok(true) => Self { sku, status: StockLineStatus::Set, code: None },
            Ok(false) => Self { sku, status: StockLineStatus::Unchanged, code: None },
            Err(code) => Self { sku, status: StockLineStatus::Refused, code: Some(code) },
        }
    }
}

/// What happened to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum StockLineStatus {
    /// The level was changed to that of the line.
    Set,
    /// The level was already that of the line.
    Unchanged,
    /// The level was not changed; `code` tells why.
    Refused,
}

/// Set the stock of many SKUs
///
/// A request has up to 1000 lines. A refused line does not affect the others. Repeating a request changes
/// nothing.
#[utoipa::path(
    post, path = "/v1/stock", tag = "stock", request_body = Vec<StockLine>,
    responses(
        (status = 200, body = StockLineResults),
        (status = 422, body = Problem, description = "`validation_failed`: no lines, or too many"),
    ),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn set_stock_batch(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(low): State<LowStock>,
    Json(lines): Json<Vec<StockLine>>,
) -> Result<Json<StockLineResults>, Problem> {
    caller.require(Scope::StockWrite)?;
    admit(&outbox, Criticality::Deferrable)?;
    let mut fields = Fields::new();
    if !(1..=MAX_LINES).contains(&lines.len()) {
        fields.refuse("", "out_of_range", format!("must be 1 to {MAX_LINES} lines"));
    }
    fields.finish()?;

    let mut tx = outbox.begin().await?;
    let existing = existing_warehouses(&mut tx, &lines).await?;
    let mut seen = HashSet::new();
    let commands: Vec<Result<SetStockCommand, &'static str>> =
        lines.iter().map(|line| command(line, &existing, &mut seen)).collect();
    let skus: BTreeSet<&Sku> = commands.iter().flatten().map(|command| &command.sku).collect();
    let stock = stock::lock(&mut tx, skus).await?;
    let results =
        app::set_stock_batch(&mut tx, low, stock, commands.iter().flatten(), caller.subject())
            .await?;
    tx.commit().await?;

    let mut results = results.into_iter();
    let mut result_of = |command: Result<SetStockCommand, &'static str>| {
        command?;
        // There is one result per command.
        results.next().unwrap_or(Ok(false)).map_err(refusal_code)
    };
    let items: Vec<StockLineResult> = lines
        .into_iter()
        .zip(commands)
        .map(|(line, command)| StockLineResult::new(line.sku, result_of(command)))
        .collect();
    let refused = items.iter().filter(|item| item.status == StockLineStatus::Refused).count();
    Ok(Json(StockLineResults { accepted: items.len() - refused, refused, items }))
}

async fn existing_warehouses(
    connection: &mut PgConnection,
    lines: &[StockLine],
) -> Result<HashSet<WarehouseId>, Problem> {
    let named: Vec<WarehouseId> = lines.iter().filter_map(|line| line.warehouse_id).collect();
    let mut existing = HashSet::from([DEFAULT_WAREHOUSE.into()]);
    if !named.is_empty() {
        existing.extend(warehouses::existing(connection, &named).await?);
    }
    Ok(existing)
}

/// The command of a line, or the code of its refusal.
fn command(
    line: &StockLine,
    existing: &HashSet<WarehouseId>,
    seen: &mut HashSet<(Sku, WarehouseId)>,
) -> Result<SetStockCommand, &'static str> {
    let sku: Sku = line.sku.parse().map_err(|_| "invalid_sku")?;
    let warehouse = line.warehouse_id.unwrap_or(DEFAULT_WAREHOUSE.into());
    if !existing.contains(&warehouse) {
        return Err("unknown_warehouse");
    }
    if !(0..=MAX_ON_HAND).contains(&line.on_hand) {
        return Err("out_of_range");
    }
    if !seen.insert((sku.clone(), warehouse)) {
        return Err("repeated");
    }
    Ok(SetStockCommand { sku, warehouse, on_hand: line.on_hand, threshold: ThresholdChange::Keep })
}
