//! `DELETE /v1/visitors/{id}`

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use messaging::Outbox;
use problem::{Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
};

use super::parameters::visitor_in_path;
use crate::app::{
    erase_visitor::{EraseVisitorCommand, EraseVisitorError, erase_visitor},
    recommender::Recommender,
};

/// `Retry-After` if the model has not forgotten the visitor in time.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Erase a visitor
///
/// Deletes the visitor's events and baskets, and removes the visitor from the model. Events that arrive later
/// are dropped. The request can be repeated.
#[utoipa::path(
    delete, path = "/v1/visitors/{id}", tag = "events",
    params(("id" = String, Path, description = "As in the visitor's events, or the customer's id")),
    responses(
        (status = 204),
        (status = 503, body = Problem, description = "`model_busy`: erased from the tables, not yet from the model; try again"),
    ),
    security(("bearer" = ["analytics:read"]))
)]
pub(super) async fn delete_visitor(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(recommender): State<Recommender>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::AnalyticsRead)?;
    let visitor = visitor_in_path("id", &id)?;
    let command =
        EraseVisitorCommand { visitor: &visitor, actor: caller.subject(), erased_at: clock::now() };
    erase_visitor(&outbox, &recommender, command).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<EraseVisitorError> for Problem {
    fn from(error: EraseVisitorError) -> Self {
        match error {
            EraseVisitorError::NotErased(error) => error.into(),
            EraseVisitorError::ModelBusy(error) => {
                Self::unavailable("model_busy", RETRY_AFTER).detail(format!("{error}; try again."))
            }
        }
    }
}
