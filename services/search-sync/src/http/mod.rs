//! The HTTP face: the route table, and one file per endpoint.

mod parameters;
mod searching;

mod drift;
mod read_index;
mod rebuild;
mod repair;
mod search;
mod suggest;

use std::time::Duration;

use problem::Problem;
use runtime::http::within;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt as _},
    routes,
};

pub use self::searching::Searching;
use crate::{app::AppState, upkeep::UpkeepError};

/// How long comparing with the whole catalogue, or repairing from it, may take.
const UPKEEP: Duration = Duration::from_mins(10);

/// Every route of the service, beside those that every service has.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        // Public: what a shopper sees.
        .routes(routes!(search::search))
        .routes(routes!(suggest::suggest))
        // Scope `ops`.
        .routes(routes!(read_index::read_index))
        .routes(routes!(rebuild::rebuild))
        .routes(routes!(drift::drift).layer(within(UPKEEP)))
        .routes(routes!(repair::repair).layer(within(UPKEEP)))
        .merge(runtime::messaging::dead_letter_routes())
}

/// 503 as long as the first index is being built.
fn no_index() -> Problem {
    Problem::unavailable("index_building", Duration::from_secs(1))
        .detail("The index is being built.")
}

/// The answer where the index could not be compared or repaired.
#[expect(clippy::needless_pass_by_value, reason = "it is named in `map_err`")]
fn not_kept_up(error: UpkeepError) -> Problem {
    match &error {
        UpkeepError::Busy(_) => {
            Problem::conflict("upkeep_running", "The index is being compared or repaired already")
        }
        UpkeepError::NoIndex => no_index(),
        UpkeepError::Catalogue(source) => {
            tracing::warn!(error = problem::chain(source), "the catalogue cannot be read");
            Problem::unavailable("catalogue_unavailable", Duration::from_secs(5))
                .detail(source.to_string())
        }
        UpkeepError::Index(_)
        | UpkeepError::Database(_)
        | UpkeepError::Write(_)
        | UpkeepError::Commit(_)
        | UpkeepError::Thread(_) => Problem::internal_from(&error),
    }
}
