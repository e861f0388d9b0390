//! The HTTP interface: the route table, and one file per endpoint.

mod event_rules;
mod event_sender;
mod parameters;
mod period;
mod recommendation_list;
mod user_event;

mod event_batch;
mod foreign_event;
mod ga4_event;
mod segment_event;

mod create_visitor;
mod delete_visitor;
mod get_companion_products;
mod get_event_rules;
mod get_funnel;
mod get_report;
mod get_script;
mod get_session_recommendations;
mod get_session_statistics;
mod get_similar_products;
mod get_trending;
mod get_visitor_recommendations;
mod ingest_events;
mod ingest_ga4_events;
mod ingest_segment_events;
mod replace_event_rules;
mod replay_projection;

use axum::middleware::map_response;
use problem::Problem;
use runtime::{http::within, operations, replay};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt as _},
    routes,
};

use self::event_sender::allow_any_origin;
use crate::{app::recommender::QueryFailed, state::AppState};

/// All routes of the service, without those that every service has.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        // Public, for the shopper's browser, on pages of any origin.
        .routes(routes!(ingest_events::ingest_events).layer(map_response(allow_any_origin)))
        .routes(
            routes!(ingest_segment_events::ingest_segment_events)
                .layer(map_response(allow_any_origin)),
        )
        .routes(routes!(ingest_ga4_events::ingest_ga4_events).layer(map_response(allow_any_origin)))
        .routes(routes!(create_visitor::create_visitor).layer(map_response(allow_any_origin)))
        .routes(routes!(get_script::get_script))
        // Public, for the shopper's browser.
        .routes(routes!(get_similar_products::get_similar_products))
        .routes(routes!(get_companion_products::get_companion_products))
        .routes(routes!(get_session_recommendations::get_session_recommendations))
        .routes(routes!(get_trending::get_trending))
        // The visitor's own token, or scope `analytics:read`.
        .routes(routes!(get_visitor_recommendations::get_visitor_recommendations))
        // Scope `analytics:read`.
        .routes(routes!(get_funnel::get_funnel))
        .routes(routes!(get_session_statistics::get_session_statistics))
        .routes(routes!(get_report::get_report))
        .routes(routes!(get_event_rules::get_event_rules, replace_event_rules::replace_event_rules))
        .routes(routes!(delete_visitor::delete_visitor))
        // Scope `ops`.
        .routes(routes!(replay_projection::replay_projection).layer(within(replay::REPLAY_TIMEOUT)))
        .merge(operations::routes())
}

impl From<QueryFailed> for Problem {
    fn from(error: QueryFailed) -> Self {
        Self::internal_from(&error)
    }
}
