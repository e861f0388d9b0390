//! `GET /ops/queues`

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap,
        header::{AUTHORIZATION, CACHE_CONTROL},
    },
    response::IntoResponse,
};
use problem::Problem;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    http::operator::Operator,
    queues::{QueueInspector, QueueStats},
};

const RETRY_AFTER: Duration = Duration::from_secs(2);

/// A queue. `messages` and `consumers` are null if the broker has no such queue.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct QueueDepth {
    name: String,
    /// Messages that are ready for delivery.
    messages: Option<u32>,
    consumers: Option<u32>,
    /// The statistics that its consumer reports at `GET /v1/queues`; absent if no service reports any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    figures: Option<Map<String, Value>>,
}

/// List queues
///
/// The length, the number of consumers and the statistics of every queue of the suite.
#[utoipa::path(
    get, path = "/ops/queues", tag = "ops", security(("bearer" = ["ops"])),
    responses(
        (status = 200, description = "The queues, sorted by name", body = [QueueDepth]),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "The token lacks the scope `ops`", body = Problem),
        (status = 503, description = "The broker does not answer", body = Problem),
    )
)]
pub(crate) async fn list_queues(
    _: Operator,
    State(inspector): State<Arc<QueueInspector>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    match inspector.queues(headers.get(AUTHORIZATION)).await {
        Ok(queues) => {
            let queues: Vec<QueueDepth> = queues.into_iter().map(QueueDepth::from).collect();
            Ok(([(CACHE_CONTROL, "no-store")], Json(queues)))
        }
        Err(error) => {
            tracing::warn!(error = problem::chain(&error), "cannot read the queues");
            Err(Problem::unavailable("broker_unavailable", RETRY_AFTER))
        }
    }
}

impl From<QueueStats> for QueueDepth {
    fn from(queue: QueueStats) -> QueueDepth {
        let QueueStats { name, messages, consumers, figures } = queue;
        QueueDepth { name, messages, consumers, figures }
    }
}
