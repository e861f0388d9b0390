//! `GET /v1/orders`: orders, newest first.

use axum::extract::State;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use messaging::Kit;
use problem::{FieldError, Json, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::{CustomerId, OrderId};

use super::{
    access::{require_of, require_some},
    order_body::OrderBody,
};
use crate::{
    domain::Status,
    storage::shown::{self, Selection},
};

/// How many orders a page has unless the client says.
const USUAL_LIMIT: u16 = 20;

/// How many it may have.
const MAX_LIMIT: u16 = 100;

/// Which orders, and how many at a time.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listing {
    /// Of this customer; without it one's own, or with the scope `orders:admin` everybody's.
    customer_id: Option<CustomerId>,
    /// That stand here.
    status: Option<Status>,
    /// How many at most: 1 to 100, 20 unless said.
    limit: Option<u16>,
    /// Where the page before ended: its `next_cursor`.
    cursor: Option<String>,
}

/// Orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Orders {
    /// The orders.
    items: Vec<OrderBody>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Orders, newest first: one's own; with the scope `orders:admin` everybody's.
#[utoipa::path(
    get, path = "/v1/orders", tag = "orders", params(Listing),
    responses((status = 200, body = Orders)), security(("bearer" = ["orders:read"]))
)]
pub(crate) async fn list(
    caller: Caller,
    State(kit): State<Kit>,
    Query(listing): Query<Listing>,
) -> Result<Json<Orders>, Problem> {
    let Some(customer) = whose(&caller, listing.customer_id)? else {
        return Ok(Json(Orders { items: Vec::new(), next_cursor: None }));
    };
    let limit = listing.limit.unwrap_or(USUAL_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(invalid("limit", format!("is a number from 1 to {MAX_LIMIT}")));
    }
    let before = listing.cursor.as_deref().map(decode).transpose()?;
    let selection = Selection { customer: customer.0, status: listing.status, before };
    // One more than the page shows whether there is another page.
    let mut connection = kit.pool().acquire().await?;
    let mut shown = shown::list(&mut connection, selection, i64::from(limit) + 1).await?;
    let more = shown.len() > usize::from(limit);
    shown.truncate(limit.into());
    let next_cursor = shown.last().filter(|_| more).map(|last| encode(last.id));
    Ok(Json(Orders { items: shown.into_iter().map(OrderBody::from).collect(), next_cursor }))
}

/// The customer that a list is narrowed to, if to any.
struct Whose(Option<CustomerId>);

/// Whose orders the caller may list, of those asked for; `None` where there can be none: the caller is no customer.
fn whose(caller: &Caller, asked: Option<CustomerId>) -> Result<Option<Whose>, Problem> {
    require_some(caller, Scope::OrdersRead)?;
    match asked {
        Some(customer) => {
            require_of(caller, Scope::OrdersRead, customer)?;
            Ok(Some(Whose(Some(customer))))
        }
        None if caller.has(Scope::OrdersAdmin) => Ok(Some(Whose(None))),
        None => Ok(caller.subject().parse().ok().map(|own| Whose(Some(own)))),
    }
}

fn encode(last: OrderId) -> String {
    URL_SAFE_NO_PAD.encode(last.as_uuid())
}

fn decode(cursor: &str) -> Result<OrderId, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let last = bytes.and_then(|bytes| Uuid::from_slice(&bytes).ok());
    last.map(OrderId::from)
        .ok_or_else(|| invalid("cursor", "is not a cursor that was given here".to_owned()))
}

fn invalid(parameter: &str, message: String) -> Problem {
    Problem::bad_request("invalid_query", "The query string is not valid")
        .errors(vec![FieldError::new(parameter, "invalid", message)])
}
