//! `GET /v1/lost-orders`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vocabulary::OrderId;

use super::page_limit::{invalid_parameter, page_limit};
use crate::{
    domain::{OrderStatus, ReportedStock},
    storage::lost_orders::{self, LostOrder},
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListLostOrdersQuery {
    /// Only orders whose stock is `reserved`, `rejected`, `released` or `deducted`.
    stock: Option<String>,
    /// The maximum number of orders: 1 to 100, default 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The id of the last order of the previous page.
    after: Option<OrderId>,
}

/// A page of lost orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LostOrderPage {
    items: Vec<LostOrderBody>,
}

/// An order whose commits were lost when the database was restored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LostOrder)]
struct LostOrderBody {
    order_id: OrderId,
    /// Absent if the order does not exist any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// What inventory told last: `reserved`, `rejected`, `released` or `deducted`. Absent until it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<&'static str>,
    found_at: DateTime<Utc>,
}

/// List lost orders
///
/// Orders that this service lost when its database went back to an earlier state. What was reserved for them is released. What
/// is `deducted` has been shipped: an operator finds out to whom, and whether it was paid.
#[utoipa::path(
    get, path = "/v1/lost-orders", tag = "orders", params(ListLostOrdersQuery),
    responses((status = 200, body = LostOrderPage)), security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn list_lost_orders(
    caller: Caller,
    State(outbox): State<Outbox>,
    Query(query): Query<ListLostOrdersQuery>,
) -> Result<Json<LostOrderPage>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let limit = page_limit(query.limit)?;
    let stock = query.stock.map(|stock| stock.parse::<ReportedStock>()).transpose();
    let stock = stock.map_err(|error| invalid_parameter("stock", error.to_string()))?;
    let mut connection = outbox.pool().acquire().await?;
    let orders = lost_orders::list(&mut connection, stock, query.after, limit.into()).await?;
    let items = orders.into_iter().map(LostOrderBody::from).collect();
    Ok(Json(LostOrderPage { items }))
}

impl From<LostOrder> for LostOrderBody {
    fn from(lost: LostOrder) -> Self {
        let LostOrder { order, status, stock, found_at } = lost;
        let (status, stock) = (status.map(OrderStatus::as_str), stock.map(ReportedStock::as_str));
        Self { order_id: order, status, stock, found_at }
    }
}
