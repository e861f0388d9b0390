//! The state of a rebuild, as several endpoints return it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::rebuild_index;

/// A rebuild of the index.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rebuild {
    started_at: DateTime<Utc>,
    /// Absent while it is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
    /// Why it failed; the previous index then stays in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<rebuild_index::Rebuild> for Rebuild {
    fn from(rebuild: rebuild_index::Rebuild) -> Self {
        let rebuild_index::Rebuild { started_at, finished_at, error } = rebuild;
        Self { started_at, finished_at, error }
    }
}
