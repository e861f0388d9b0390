//! `GET /v1/orders`

use axum::{
    extract::State,
    http::{HeaderMap, header::ACCEPT},
    response::{IntoResponse as _, Response},
};
use messaging::Outbox;
use problem::{Json, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize, de::IntoDeserializer as _};
use utoipa::{IntoParams, ToSchema};
use vocabulary::{CustomerId, Sku};

use super::{
    access::{require_customer, require_scope},
    number_parameter::order_number,
    order_body::OrderBody,
    order_csv,
    page_cursor::{decode_cursor, next_cursor},
    page_limit::{invalid_parameter, page_limit},
    placed_span::{placed_from, placed_to, time_zone},
    status_body::StatusBody,
};
use crate::{
    domain::OrderStatus,
    state::ShopTimeZone,
    storage::order_lists::{self, OrderFilter},
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListOrdersQuery {
    /// Only orders of this customer. The default is the caller; with the scope `orders:admin` it is all customers.
    customer_id: Option<CustomerId>,
    /// Only the order with this number, with or without hyphens.
    #[param(example = "10604-22390-24878")]
    number: Option<String>,
    /// Only orders with one of these statuses, separated by commas: `reserved,confirmed`.
    status: Option<String>,
    /// Only orders with a line of this SKU.
    sku: Option<Sku>,
    /// Only orders placed on this day or later, such as `2026-11-28`; or at this instant or later, such as
    /// `2026-11-28T00:00:00+08:00`.
    placed_from: Option<String>,
    /// Only orders placed on this day or earlier; or before this instant.
    placed_to: Option<String>,
    /// The time zone of days, and of times in CSV: a name of the IANA database. The default is `SHOP_TIME_ZONE`.
    #[param(example = "Asia/Shanghai")]
    time_zone: Option<String>,
    /// The maximum number of orders: 1 to 100, default 20. Not with CSV, which has all orders.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The `next_cursor` of the previous page. Not with CSV.
    cursor: Option<String>,
    /// `csv` has the effect of `Accept: text/csv`.
    #[param(inline)]
    format: Option<ListFormat>,
    /// Whether CSV begins with a byte order mark, which some spreadsheets need to read UTF-8.
    #[serde(default)]
    bom: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ListFormat {
    Json,
    Csv,
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
/// Customers see their own orders; the scope `orders:admin` shows the orders of all customers. With `format=csv` or
/// `Accept: text/csv`, the answer is a file of all orders that match, with one row for each line of an order. It has no names
/// and addresses. A cell that a spreadsheet would read as a formula begins with an apostrophe.
#[utoipa::path(
    get, path = "/v1/orders", tag = "orders", params(ListOrdersQuery),
    responses(
        (status = 200, content((OrderPage = "application/json"), (String = "text/csv"))),
        (status = 400, description = "`invalid_query`", body = Problem),
        (status = 403, description = "`insufficient_scope`, `not_yours`", body = Problem),
    ),
    security(("bearer" = ["orders:read"]))
)]
pub(crate) async fn list_orders(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(ShopTimeZone(shop)): State<ShopTimeZone>,
    headers: HeaderMap,
    Query(query): Query<ListOrdersQuery>,
) -> Result<Response, Problem> {
    let visible = visible_orders(&caller, query.customer_id)?;
    let zone = time_zone(query.time_zone.as_deref(), shop)?;
    // The parameters are checked even if the caller has no orders.
    let filter = OrderFilter {
        customer: match visible {
            Visible::OfCustomer(customer) => Some(customer),
            Visible::All | Visible::None => None,
        },
        number: order_number("number", query.number.as_deref())?,
        statuses: query.status.as_deref().map(statuses).transpose()?,
        sku: query.sku.clone(),
        placed_from: query.placed_from.as_deref().map(|t| placed_from(t, zone)).transpose()?,
        placed_to: query.placed_to.as_deref().map(|t| placed_to(t, zone)).transpose()?,
        before: query.cursor.as_deref().map(decode_cursor).transpose()?,
    };
    let limit = page_limit(query.limit)?;
    let filter = (visible != Visible::None).then_some(filter);
    if query.wants_csv(&headers) {
        for (name, is_set) in [("limit", query.limit.is_some()), ("cursor", query.cursor.is_some())]
        {
            if is_set {
                return Err(invalid_parameter(name, "does not apply to CSV".to_owned()));
            }
        }
        return order_csv::export(outbox, filter, zone, query.bom).await;
    }
    let Some(filter) = filter else {
        return Ok(Json(OrderPage { items: Vec::new(), next_cursor: None }).into_response());
    };
    // One more than the limit tells whether there is another page.
    let mut connection = outbox.pool().acquire().await?;
    let mut views = order_lists::list(&mut connection, &filter, i64::from(limit) + 1).await?;
    let next_cursor = next_cursor(&mut views, limit, |last| last.id.as_uuid());
    let items = views.into_iter().map(OrderBody::from).collect();
    Ok(Json(OrderPage { items, next_cursor }).into_response())
}

impl ListOrdersQuery {
    fn wants_csv(&self, headers: &HeaderMap) -> bool {
        let accepts = || {
            let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
            let mut ranges = accepted.flat_map(|value| value.split(','));
            ranges.any(|range| {
                let essence = range.split(';').next().unwrap_or_default().trim();
                essence.eq_ignore_ascii_case("text/csv")
            })
        };
        self.format.map_or_else(accepts, |format| format == ListFormat::Csv)
    }
}

/// The orders that a caller may list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visible {
    All,
    OfCustomer(CustomerId),
    /// The caller is no customer, and so has no orders.
    None,
}

fn visible_orders(caller: &Caller, requested: Option<CustomerId>) -> Result<Visible, Problem> {
    require_scope(caller, Scope::OrdersRead)?;
    match requested {
        Some(customer) => {
            require_customer(caller, Scope::OrdersRead, customer)?;
            Ok(Visible::OfCustomer(customer))
        }
        None if caller.has(Scope::OrdersAdmin) => Ok(Visible::All),
        None => Ok(caller.subject().parse().map_or(Visible::None, Visible::OfCustomer)),
    }
}

/// Several statuses, without repetitions.
fn statuses(list: &str) -> Result<Vec<OrderStatus>, Problem> {
    let mut statuses = Vec::new();
    for name in list.split(',') {
        let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
            name.trim().into_deserializer();
        let status = StatusBody::deserialize(name);
        let status = status.map_err(|error| invalid_parameter("status", error.to_string()))?.into();
        if !statuses.contains(&status) {
            statuses.push(status);
        }
    }
    Ok(statuses)
}
