//! The body with which a call selects many dead letters.

use std::time::Duration;

use ::messaging::dead_letters::{self, Pace, Selection};
use problem::{FieldError, Problem};
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// How long one call works before it answers with `next`.
const CALL_DURATION: Duration = Duration::from_secs(10);

/// The default and the highest rate, in dead letters a second.
const DEFAULT_RATE: u32 = 1_000;
const MAX_RATE: u32 = 100_000;

/// The default and the largest number of dead letters in one call.
const MAX_COUNT: u32 = 1_000_000;

/// Selects dead letters, and bounds rate and number.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadLetterSelection {
    /// Only this consumer.
    consumer: Option<String>,
    /// Only this reason.
    reason: Option<String>,
    /// Only this event type; empty for messages that are not events.
    kind: Option<String>,
    /// Only this cause, as the groups name it.
    cause: Option<String>,
    /// Rate limit per second; 1 to 100,000, default 1,000.
    #[schema(minimum = 1, maximum = 100_000)]
    per_second: Option<u32>,
    /// The largest number in this call; 1 to 1,000,000, the default.
    #[schema(minimum = 1, maximum = 1_000_000)]
    at_most: Option<u32>,
    /// The `next` of the previous call.
    after: Option<Uuid>,
}

impl DeadLetterSelection {
    /// Converts to the kit's types; 422 for a number out of range.
    pub(super) fn into_parts(self) -> Result<(Selection, Pace), Problem> {
        let Self { consumer, reason, kind, cause, per_second, at_most, after } = self;
        let mut errors = Vec::new();
        let mut bounded = |field: &str, value: Option<u32>, default: u32, max: u32| {
            let value = value.unwrap_or(default);
            if !(1..=max).contains(&value) {
                let message = format!("must be from 1 to {max}");
                errors.push(FieldError::new(field, "out_of_range", message));
            }
            value
        };
        let per_second = bounded("per_second", per_second, DEFAULT_RATE, MAX_RATE);
        let at_most = bounded("at_most", at_most, MAX_COUNT, MAX_COUNT);
        if !errors.is_empty() {
            return Err(Problem::validation(errors));
        }
        let pace = Pace { per_second, at_most, within: CALL_DURATION, after };
        Ok((Selection { consumer, reason, kind, cause }, pace))
    }
}

/// Rejects an unknown cursor instead of returning an empty page.
pub(super) async fn require_known(
    connection: &mut PgConnection,
    after: Option<Uuid>,
) -> Result<(), Problem> {
    let Some(after) = after else { return Ok(()) };
    if dead_letters::exists(connection, after).await? {
        return Ok(());
    }
    let message = "no dead letter has this id";
    Err(Problem::validation(vec![FieldError::new("after", "unknown", message)]))
}
