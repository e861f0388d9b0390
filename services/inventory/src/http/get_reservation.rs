//! `GET /v1/reservations/{order_id}`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Kit;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use vocabulary::{OrderId, Sku, WarehouseId};

use crate::storage::reservations;

/// What is, or was, set aside for an order.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ReservationAnswer {
    order_id: OrderId,
    /// `reserved`, `released` or `deducted`.
    #[schema(value_type = String, example = "reserved")]
    status: &'static str,
    /// What was set aside, and where.
    lines: Vec<Line>,
    reserved_at: DateTime<Utc>,
    /// When it was released or deducted.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<DateTime<Utc>>,
}

/// So many pieces of a SKU in a warehouse.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Line {
    sku: Sku,
    warehouse_id: WarehouseId,
    quantity: i64,
}

/// What is, or was, set aside for an order. An order that was rejected has no reservation.
#[utoipa::path(
    get, path = "/v1/reservations/{order_id}", tag = "reservations", params(("order_id" = OrderId, Path)),
    responses((status = 200, body = ReservationAnswer), (status = 404, body = Problem)),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn get_reservation(
    caller: Caller,
    State(kit): State<Kit>,
    Path(order_id): Path<OrderId>,
) -> Result<Json<ReservationAnswer>, Problem> {
    caller.require(Scope::StockWrite)?;
    let none = || Problem::not_found(format_args!("reservation for order {order_id}"));
    let mut connection = kit.pool().acquire().await?;
    let times = reservations::times(&mut connection, order_id).await?.ok_or_else(none)?;
    let mut found = reservations::of_orders(&mut connection, &[order_id]).await?;
    let reservation = found.remove(&order_id).ok_or_else(none)?;
    let lines = reservation.allocations.into_iter().map(|line| Line {
        sku: line.sku,
        warehouse_id: line.warehouse,
        quantity: line.quantity,
    });
    Ok(Json(ReservationAnswer {
        order_id,
        status: reservation.state.as_str(),
        lines: lines.collect(),
        reserved_at: times.reserved_at,
        closed_at: times.closed_at,
    }))
}
