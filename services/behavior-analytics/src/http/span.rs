//! Spans of time: `?from=&to=`.

use chrono::{DateTime, TimeDelta, Utc};
use problem::Problem;
use serde::Deserialize;

use super::invalid_query;

/// The longest span.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// Which span is asked for.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    /// Its beginning; unless said, it lies the usual length before the end.
    from: Option<DateTime<Utc>>,
    /// Its end, which is not part of it; now unless said.
    to: Option<DateTime<Utc>>,
}

impl Span {
    /// Beginning and end, with `usual` as the length where none is said.
    pub(super) fn bounds(
        self,
        usual: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<(DateTime<Utc>, DateTime<Utc>), Problem> {
        // What happens now is part of what is asked for now, though clocks of clients run ahead a little.
        let to = self.to.unwrap_or(now + TimeDelta::minutes(10));
        let from = match self.from {
            Some(from) => from,
            None => to.checked_sub_signed(usual).ok_or_else(|| invalid_query("to", "too early"))?,
        };
        if from >= to {
            return Err(invalid_query("from", "must lie before the end"));
        }
        if to.signed_duration_since(from) > LONGEST {
            let days = LONGEST.num_days();
            return Err(invalid_query(
                "from",
                format!("must lie at most {days} days before the end"),
            ));
        }
        Ok((from, to))
    }
}
