//! `GET /v1/orders/{id}/timeline`: everything that happened to an order, in every service.

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Kit;
use problem::{Json, Path, Problem};
use runtime::auth::Caller;
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::OrderId;

use super::access::readable;
use crate::storage::timeline::{self, Written};

/// Everything that happened to an order, in the order in which it happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timeline {
    /// What happened.
    items: Vec<Item>,
}

/// One thing that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TimelineItem)]
struct Item {
    /// When.
    at: DateTime<Utc>,
    /// In which service.
    #[schema(example = "inventory")]
    service: String,
    /// What.
    #[schema(example = "stock.reserved.v1")]
    event: String,
    /// What else is known of it.
    detail: serde_json::Value,
}

impl From<Written> for Item {
    fn from(written: Written) -> Self {
        let Written { at, service, event, detail, .. } = written;
        Self { at, service, event, detail }
    }
}

/// Everything that happened to an order, in every service, with times.
#[utoipa::path(
    get, path = "/v1/orders/{id}/timeline", tag = "orders", params(("id" = OrderId, Path)),
    responses((status = 200, body = Timeline)), security(("bearer" = ["orders:read"]))
)]
pub(crate) async fn timeline(
    caller: Caller,
    State(kit): State<Kit>,
    Path(id): Path<OrderId>,
) -> Result<Json<Timeline>, Problem> {
    readable(&kit, &caller, id).await?;
    let entries = timeline::after(&mut *kit.pool().acquire().await?, id, 0).await?;
    Ok(Json(Timeline { items: entries.into_iter().map(Item::from).collect() }))
}
