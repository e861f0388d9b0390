//! `GET /v1/orders`

use axum::extract::State;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vocabulary::{CustomerId, OrderId};

use super::{
    access::{require_customer, require_scope},
    order_body::OrderBody,
    page_limit::{invalid_parameter, page_limit},
    status_body::StatusBody,
};
use crate::storage::order_views::{self, OrderFilter};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListOrdersQuery {
    /// Only orders of this customer. The default is the caller; with the scope `orders:admin` it is all customers.
    customer_id: Option<CustomerId>,
    /// Only orders with this status.
    status: Option<StatusBody>,
    /// Only orders placed at this time or later, such as `2026-11-28T00:00:00+08:00`.
    placed_from: Option<DateTime<Utc>>,
    /// Only orders placed before this time.
    placed_to: Option<DateTime<Utc>>,
    /// The maximum number of orders: 1 to 100, default 20.
    limit: Option<u16>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// A page of orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderPage {
    items: Vec<OrderBody>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List orders, newest first
///
/// Customers see their own orders; the scope `orders:admin` shows the orders of all customers.
#[utoipa::path(
    get, path = "/v1/orders", tag = "orders", params(ListOrdersQuery),
    responses((status = 200, body = OrderPage)), security(("bearer" = ["orders:read"]))
)]
pub(crate) async fn list_orders(
    caller: Caller,
    State(outbox): State<Outbox>,
    Query(query): Query<ListOrdersQuery>,
) -> Result<Json<OrderPage>, Problem> {
    let Some(filter) = visible_orders(&caller, query.customer_id)? else {
        return Ok(Json(OrderPage { items: Vec::new(), next_cursor: None }));
    };
    let limit = page_limit(query.limit)?;
    let before = query.cursor.as_deref().map(decode_cursor).transpose()?;
    let filter = OrderFilter {
        status: query.status.map(Into::into),
        placed_from: query.placed_from,
        placed_to: query.placed_to,
        before,
        ..filter
    };
    // One more than the limit tells whether there is another page.
    let mut connection = outbox.pool().acquire().await?;
    let mut views = order_views::list(&mut connection, filter, i64::from(limit) + 1).await?;
    let has_more = views.len() > usize::from(limit);
    views.truncate(limit.into());
    let next_cursor = views.last().filter(|_| has_more).map(|last| encode_cursor(last.id));
    Ok(Json(OrderPage { items: views.into_iter().map(OrderBody::from).collect(), next_cursor }))
}

/// The orders that the caller may list. `None` if the caller is no customer, and so has no orders.
fn visible_orders(
    caller: &Caller,
    requested: Option<CustomerId>,
) -> Result<Option<OrderFilter>, Problem> {
    require_scope(caller, Scope::OrdersRead)?;
    let of = |customer| OrderFilter { customer: Some(customer), ..OrderFilter::default() };
    match requested {
        Some(customer) => {
            require_customer(caller, Scope::OrdersRead, customer)?;
            Ok(Some(of(customer)))
        }
        None if caller.has(Scope::OrdersAdmin) => Ok(Some(OrderFilter::default())),
        None => Ok(caller.subject().parse().ok().map(of)),
    }
}

fn encode_cursor(last: OrderId) -> String {
    URL_SAFE_NO_PAD.encode(last.as_uuid())
}

fn decode_cursor(cursor: &str) -> Result<OrderId, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let last = bytes.and_then(|bytes| Uuid::from_slice(&bytes).ok());
    last.map(OrderId::from).ok_or_else(|| {
        invalid_parameter("cursor", "must be a `next_cursor` of this list".to_owned())
    })
}
