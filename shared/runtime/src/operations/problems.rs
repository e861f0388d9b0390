//! Errors of the kit as problems.

use ::messaging::dead_letters::{DeclareLostError, EditError, MAX_REASON, ResolveError};
use axum::http::StatusCode;
use problem::{FieldError, Problem};
use uuid::Uuid;

fn not_pending(id: Uuid) -> Problem {
    Problem::not_found(format_args!("pending dead letter {id}"))
}

/// The answer for a dead letter that could not be handled or discarded.
pub(super) fn unresolved(error: ResolveError) -> Problem {
    let detail = error.to_string();
    match error {
        ResolveError::NotPending(id) => not_pending(id),
        ResolveError::NotRedrivable(_) => {
            Problem::conflict("not_redrivable", "The dead letter cannot be sent again")
                .detail(detail)
        }
        ResolveError::NotYet { .. } => {
            Problem::conflict("missing_predecessor", "An earlier event of the key is missing")
                .detail(detail)
        }
        ResolveError::FailedAgain(_) => {
            Problem::conflict("failed_again", "The handler failed again").detail(detail)
        }
        ResolveError::Messaging(error) => error.into(),
    }
}

/// The answer if events were not declared lost.
pub(super) fn not_declared_lost(error: DeclareLostError) -> Problem {
    let detail = error.to_string();
    match error {
        DeclareLostError::Unknown(id) => Problem::not_found(format_args!("dead letter {id}")),
        DeclareLostError::NothingMissing => {
            Problem::conflict("nothing_missing", "No event is missing").detail(detail)
        }
        DeclareLostError::OthersMissing(_) => {
            Problem::conflict("others_missing", "Other events are missing").detail(detail)
        }
        DeclareLostError::InvalidReason => {
            let message = format!("must be 1 to {MAX_REASON} characters");
            Problem::validation(vec![FieldError::new("reason", "invalid", message)])
        }
        DeclareLostError::Messaging(error) => error.into(),
    }
}

/// The answer for a dead letter whose data could not be replaced.
pub(super) fn not_edited(error: EditError) -> Problem {
    let detail = error.to_string();
    let refused = |code, title| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title).detail(detail.clone())
    };
    match error {
        EditError::NotPending(id) => not_pending(id),
        EditError::NoEvent => {
            Problem::conflict("no_event", "The dead letter holds no event").detail(detail)
        }
        EditError::DoesNotFit(_) => {
            refused("does_not_fit", "The data does not fit the type of the event")
        }
        EditError::OtherKey { .. } => refused("other_key", "The data belongs to another key"),
        EditError::Messaging(error) => error.into(),
    }
}
