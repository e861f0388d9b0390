//! `GET /v1/orders/{id}/timeline`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::Caller;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use vocabulary::OrderId;

use super::access::readable_status;
use crate::storage::timeline::{self, TimelineEntry};

/// The events of an order in all services, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderTimeline)]
pub(crate) struct TimelineBody {
    items: Vec<TimelineItem>,
}

#[derive(Debug, Serialize, ToSchema)]
struct TimelineItem {
    at: DateTime<Utc>,
    /// The service in which the event happened.
    #[schema(example = "inventory")]
    service: String,
    #[schema(example = "stock.reserved.v1")]
    event: String,
    /// Data of the event, an object.
    detail: Value,
}

impl From<TimelineEntry> for TimelineItem {
    fn from(entry: TimelineEntry) -> Self {
        let TimelineEntry { at, service, event, detail, .. } = entry;
        Self { at, service, event, detail }
    }
}

/// Get the timeline of an order
#[utoipa::path(
    get, path = "/v1/orders/{id}/timeline", tag = "orders", params(("id" = OrderId, Path)),
    responses((status = 200, body = TimelineBody)), security(("bearer" = ["orders:read"]))
)]
pub(crate) async fn get_order_timeline(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<OrderId>,
) -> Result<Json<TimelineBody>, Problem> {
    readable_status(&outbox, &caller, id).await?;
    let entries = timeline::list_after(&mut *outbox.pool().acquire().await?, id, 0).await?;
    Ok(Json(TimelineBody { items: entries.into_iter().map(TimelineItem::from).collect() }))
}
