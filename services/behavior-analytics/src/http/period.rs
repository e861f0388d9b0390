//! The period of a report: `?from=&to=`.

use chrono::{DateTime, TimeDelta, Utc};
use problem::Problem;
use serde::Deserialize;

use super::parameters::invalid_query;

/// The longest period; bounds the cost of a report.
const MAX_PERIOD: TimeDelta = TimeDelta::days(366);

/// Events are dated by the client's clock, which may be ahead by this much. So the default period ends this
/// much after now.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(10);

/// Query parameters of a period.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct PeriodParameters {
    /// Start of the period; by default, the end minus the default length.
    #[serde(default, deserialize_with = "problem::timestamp::optional")]
    from: Option<DateTime<Utc>>,
    /// End of the period, exclusive; by default, now.
    #[serde(default, deserialize_with = "problem::timestamp::optional")]
    to: Option<DateTime<Utc>>,
}

impl PeriodParameters {
    /// Start and end of the period.
    pub(super) fn bounds(
        self,
        default_length: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<(DateTime<Utc>, DateTime<Utc>), Problem> {
        let to = self.to.unwrap_or(now + CLOCK_SKEW);
        let from = match self.from {
            Some(from) => from,
            None => to
                .checked_sub_signed(default_length)
                .ok_or_else(|| invalid_query("to", "too early"))?,
        };
        if from >= to {
            return Err(invalid_query("from", "must be before the end"));
        }
        if to.signed_duration_since(from) > MAX_PERIOD {
            let days = MAX_PERIOD.num_days();
            return Err(invalid_query(
                "from",
                format!("must be at most {days} days before the end"),
            ));
        }
        Ok((from, to))
    }
}
