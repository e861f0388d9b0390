//! The HTTP API: the route table, and one file per endpoint.

mod explanation_view;
mod get_index;
mod get_index_drift;
mod get_suggestions;
mod get_synonyms;
mod problems;
mod query_params;
mod rebuild_index;
mod rebuild_view;
mod repair_index;
mod search_params;
mod search_products;

use std::time::Duration;

use runtime::http::within;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt as _},
    routes,
};

use crate::state::AppState;

/// The limit for comparing with the whole catalogue, and for repairing from it.
const CONSISTENCY_TIMEOUT: Duration = Duration::from_mins(10);

/// The routes of this service, without those that every service has.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        // Public.
        .routes(routes!(search_products::search_products))
        .routes(routes!(get_suggestions::get_suggestions))
        .routes(routes!(get_synonyms::get_synonyms))
        // Scope `ops`.
        .routes(routes!(get_index::get_index))
        .routes(routes!(rebuild_index::rebuild_index))
        .routes(routes!(get_index_drift::get_index_drift).layer(within(CONSISTENCY_TIMEOUT)))
        .routes(routes!(repair_index::repair_index).layer(within(CONSISTENCY_TIMEOUT)))
        .merge(runtime::operations::routes())
}
