//! `GET /v1/priority-customers`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vocabulary::CustomerId;

use super::super::{
    page_cursor::{decode_cursor, next_cursor},
    page_limit::page_limit,
};
use crate::storage::priority_customers::{self, PriorityCustomer};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListPriorityCustomersQuery {
    /// The maximum number of customers: 1 to 100, default 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// A page of customers with priority.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PriorityCustomerPage {
    items: Vec<PriorityCustomerBody>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A customer with priority.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PriorityCustomer)]
struct PriorityCustomerBody {
    customer_id: CustomerId,
    /// The subject of the token that gave it.
    added_by: String,
    added_at: DateTime<Utc>,
}

/// List the customers with priority
///
/// Customers whose tokens have the scope `orders:priority` are not among them.
#[utoipa::path(
    get, path = "/v1/priority-customers", tag = "customers", params(ListPriorityCustomersQuery),
    responses(
        (status = 200, body = PriorityCustomerPage),
        (status = 400, description = "`invalid_query`", body = Problem),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn list_priority_customers(
    caller: Caller,
    State(outbox): State<Outbox>,
    Query(query): Query<ListPriorityCustomersQuery>,
) -> Result<Json<PriorityCustomerPage>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let limit = page_limit(query.limit)?;
    let after = query.cursor.as_deref().map(decode_cursor).transpose()?;
    let mut connection = outbox.pool().acquire().await?;
    let mut listed = priority_customers::list(&mut connection, after, i64::from(limit) + 1).await?;
    let next_cursor = next_cursor(&mut listed, limit, |last| last.customer.as_uuid());
    let items = listed.into_iter().map(PriorityCustomerBody::from).collect();
    Ok(Json(PriorityCustomerPage { items, next_cursor }))
}

impl From<PriorityCustomer> for PriorityCustomerBody {
    fn from(PriorityCustomer { customer, added_by, added_at }: PriorityCustomer) -> Self {
        Self { customer_id: customer, added_by, added_at }
    }
}
