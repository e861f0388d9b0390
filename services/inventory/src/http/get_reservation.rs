//! `GET /v1/reservations/{order_id}`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use vocabulary::{OrderId, ParcelId, Sku, WarehouseId};

use crate::{
    domain::Allocation,
    storage::reservations::{self, DeductedLine},
};

/// The pieces that an order holds, or held.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Reservation)]
pub(super) struct ReservationView {
    order_id: OrderId,
    /// `reserved`, `released` or `deducted`.
    #[schema(value_type = String, example = "reserved")]
    status: &'static str,
    lines: Vec<ReservationLine>,
    reserved_at: DateTime<Utc>,
    /// When it was released or deducted.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<DateTime<Utc>>,
}

/// A number of pieces of a SKU, reserved in one warehouse.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ReservationLine {
    sku: Sku,
    warehouse_id: WarehouseId,
    quantity: i64,
    /// The parcel in which it left, if it left before other pieces of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    parcel_id: Option<ParcelId>,
    /// When that parcel left.
    #[serde(skip_serializing_if = "Option::is_none")]
    deducted_at: Option<DateTime<Utc>>,
}

impl From<Allocation> for ReservationLine {
    fn from(allocation: Allocation) -> Self {
        let Allocation { sku, warehouse, quantity } = allocation;
        Self { sku, warehouse_id: warehouse, quantity, parcel_id: None, deducted_at: None }
    }
}

impl From<DeductedLine> for ReservationLine {
    fn from(DeductedLine { parcel, line, deducted_at }: DeductedLine) -> Self {
        Self { parcel_id: Some(parcel), deducted_at: Some(deducted_at), ..line.into() }
    }
}

/// Get the reservation of an order
///
/// A released or deducted reservation stays readable. A rejected order has no reservation.
#[utoipa::path(
    get, path = "/v1/reservations/{order_id}", tag = "reservations", params(("order_id" = OrderId, Path)),
    responses((status = 200, body = ReservationView), (status = 404, body = Problem)),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn get_reservation(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(order_id): Path<OrderId>,
) -> Result<Json<ReservationView>, Problem> {
    caller.require(Scope::StockWrite)?;
    let not_found = || Problem::not_found(format_args!("reservation for order {order_id}"));
    let mut connection = outbox.pool().acquire().await?;
    let times = reservations::times(&mut connection, order_id).await?;
    let (reserved_at, closed_at) = times.ok_or_else(not_found)?;
    let mut found = reservations::of_orders(&mut connection, &[order_id]).await?;
    let reservation = found.remove(&order_id).ok_or_else(not_found)?;
    let deducted = reservations::deducted_lines(&mut connection, order_id).await?;
    let lines = deducted.into_iter().map(ReservationLine::from);
    let lines = lines.chain(reservation.allocations.into_iter().map(ReservationLine::from));
    Ok(Json(ReservationView {
        order_id,
        status: reservation.state.as_str(),
        lines: lines.collect(),
        reserved_at,
        closed_at,
    }))
}
