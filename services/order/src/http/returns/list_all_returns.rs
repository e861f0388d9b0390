//! `GET /v1/returns`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vocabulary::Sku;

use super::{
    super::{
        access::require_scope,
        number_parameter::order_number,
        page_cursor::{decode_cursor, next_cursor},
        page_limit::page_limit,
    },
    return_body::ReturnBody,
};
use crate::storage::returns::{self, ReturnFilter};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListAllReturnsQuery {
    /// Only returns in this state; the default is `requested`: those that a warehouse has not decided about.
    #[serde(default)]
    #[param(inline)]
    state: StateParameter,
    /// Only returns of the order with this number, with or without hyphens.
    #[param(example = "10604-22390-24878")]
    order_number: Option<String>,
    /// Only returns with a line of this SKU.
    sku: Option<Sku>,
    /// The maximum number of returns: 1 to 100, default 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StateParameter {
    #[default]
    Requested,
    Received,
    Refused,
}

/// A page of returns, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReturnPage {
    items: Vec<ReturnBody>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the returns of all orders, oldest first
///
/// For warehouses: what customers send back and no warehouse has received or refused yet.
#[utoipa::path(
    get, path = "/v1/returns", tag = "returns", params(ListAllReturnsQuery),
    responses(
        (status = 200, body = ReturnPage),
        (status = 400, description = "`invalid_query`", body = Problem),
    ),
    security(("bearer" = ["stock:write"]), ("bearer" = ["orders:admin"]))
)]
pub(crate) async fn list_all_returns(
    caller: Caller,
    State(outbox): State<Outbox>,
    Query(query): Query<ListAllReturnsQuery>,
) -> Result<Json<ReturnPage>, Problem> {
    require_scope(&caller, Scope::StockWrite)?;
    let filter = ReturnFilter {
        state: match query.state {
            StateParameter::Requested => "requested",
            StateParameter::Received => "received",
            StateParameter::Refused => "refused",
        },
        order_number: order_number("order_number", query.order_number.as_deref())?,
        sku: query.sku,
        after: query.cursor.as_deref().map(decode_cursor).transpose()?,
    };
    let limit = page_limit(query.limit)?;
    let mut connection = outbox.pool().acquire().await?;
    let mut views = returns::list(&mut connection, &filter, i64::from(limit) + 1).await?;
    let next_cursor = next_cursor(&mut views, limit, |last| last.order_return.id.as_uuid());
    let items = views.into_iter().map(ReturnBody::from).collect();
    Ok(Json(ReturnPage { items, next_cursor }))
}
