//! `POST /v1/stock`

use std::collections::{BTreeSet, HashSet};

use axum::extract::State;
use contracts::trace;
use messaging::{Kit, Worth};
use problem::{Fields, Json, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
    messaging::admit,
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use vocabulary::{Sku, WarehouseId};

use super::{internal, stock_answer::code};
use crate::{
    domain::{MAX_ON_HAND, Stock},
    publishes::stock_changed,
    storage::{stock, warehouses},
};

/// The most lines of one request.
const MAX_LINES: usize = 1000;

/// How many pieces of a SKU there are.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StockLine {
    /// Which SKU.
    #[schema(example = "KB-F87-RED")]
    sku: String,
    /// Pieces in the warehouse, those that are set aside for orders included: 0 to 1,000,000,000.
    on_hand: i64,
    /// Which warehouse; the main one unless said.
    warehouse_id: Option<WarehouseId>,
}

/// What became of the lines, in their order.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Verdicts {
    /// One for each line.
    items: Vec<Verdict>,
    /// How many lines were not refused.
    accepted: usize,
    /// How many were.
    refused: usize,
}

/// What became of a line.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Verdict {
    /// As it was sent.
    sku: String,
    /// `set`, `unchanged` or `refused`.
    status: Status,
    /// Why it was refused: `invalid_sku`, `unknown_sku`, `unknown_warehouse`, `out_of_range`, `below_reserved` or
    /// `repeated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    code: Option<&'static str>,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// The level is what the line says.
    Set,
    /// It was that before.
    Unchanged,
    /// It is not changed, for the reason that `code` says.
    Refused,
}

/// Says how many pieces of many SKUs there are: up to 1000 lines, each with a verdict of its own.
///
/// A line that is refused does not hold up the others. Sending the same lines again changes nothing.
#[utoipa::path(
    post, path = "/v1/stock", tag = "stock", request_body = Vec<StockLine>,
    responses(
        (status = 200, body = Verdicts),
        (status = 422, body = Problem, description = "`validation_failed`: no lines, or too many"),
    ),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn post_stock(
    caller: Caller,
    State(kit): State<Kit>,
    Json(lines): Json<Vec<StockLine>>,
) -> Result<Json<Verdicts>, Problem> {
    caller.require(Scope::StockWrite)?;
    admit(&kit, Worth::Lesser)?;
    let mut fields = Fields::new();
    if !(1..=MAX_LINES).contains(&lines.len()) {
        fields.refuse("", "out_of_range", format!("must be 1 to {MAX_LINES} lines"));
    }
    fields.finish()?;

    let mut tx = kit.begin().await.map_err(internal)?;
    let known = known_warehouses(&mut tx, &lines).await?;
    let mut seen = HashSet::new();
    let parsed: Vec<Result<Count, &'static str>> =
        lines.iter().map(|line| parse(line, &known, &mut seen)).collect();
    let skus: BTreeSet<&Sku> = parsed.iter().flatten().map(|count| &count.sku).collect();
    let mut stock = stock::lock(&mut tx, skus).await?;
    let verdicts = parsed.into_iter().map(|count| set(&mut stock, count));
    let items: Vec<Verdict> = lines
        .into_iter()
        .zip(verdicts)
        .map(|(line, (status, code))| Verdict { sku: line.sku, status, code })
        .collect();
    let (changes, now) = (stock.finish(), clock::now());
    stock::write(&mut tx, &changes, caller.subject(), None, now).await?;
    stock_changed::say(&mut tx, &changes, now, |_| trace::current()).map_err(internal)?;
    tx.commit().await.map_err(internal)?;
    let refused = items.iter().filter(|item| item.status == Status::Refused).count();
    Ok(Json(Verdicts { accepted: items.len() - refused, refused, items }))
}

/// A line that can be understood.
struct Count {
    sku: Sku,
    warehouse: WarehouseId,
    on_hand: i64,
}

async fn known_warehouses(
    connection: &mut PgConnection,
    lines: &[StockLine],
) -> Result<HashSet<WarehouseId>, Problem> {
    let named: Vec<WarehouseId> = lines.iter().filter_map(|line| line.warehouse_id).collect();
    let mut known = HashSet::from([warehouses::DEFAULT.into()]);
    if !named.is_empty() {
        known.extend(warehouses::known(connection, &named).await?);
    }
    Ok(known)
}

fn parse(
    line: &StockLine,
    known: &HashSet<WarehouseId>,
    seen: &mut HashSet<(Sku, WarehouseId)>,
) -> Result<Count, &'static str> {
    let sku: Sku = line.sku.parse().map_err(|_| "invalid_sku")?;
    let warehouse = line.warehouse_id.unwrap_or(warehouses::DEFAULT.into());
    if !known.contains(&warehouse) {
        return Err("unknown_warehouse");
    }
    if !(0..=MAX_ON_HAND).contains(&line.on_hand) {
        return Err("out_of_range");
    }
    if !seen.insert((sku.clone(), warehouse)) {
        return Err("repeated");
    }
    Ok(Count { sku, warehouse, on_hand: line.on_hand })
}

fn set(stock: &mut Stock, count: Result<Count, &'static str>) -> (Status, Option<&'static str>) {
    let count = match count {
        Ok(count) => count,
        Err(code) => return (Status::Refused, Some(code)),
    };
    match stock.set(&count.sku, count.warehouse, count.on_hand) {
        Ok(true) => (Status::Set, None),
        Ok(false) => (Status::Unchanged, None),
        Err(refusal) => (Status::Refused, Some(code(refusal))),
    }
}
