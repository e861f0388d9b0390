//! When a failed attempt is repeated.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The pauses after the failed attempts: eleven attempts within a day.
const PAUSES: [Duration; 10] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(2),
    Duration::from_hours(4),
    Duration::from_hours(7),
    Duration::from_hours(9),
];

/// A message that is older has no more attempts, …
const MAX_AGE: Duration = Duration::from_hours(24);

/// … unless it waited for an earlier message or for the end of a pause, and has had fewer than these.
const MIN_ATTEMPTS: u32 = 3;

/// The share of a pause by which it may be shorter, so that the messages of an outage do not come back at one moment.
const JITTER: f64 = 0.2;

/// The time of the next attempt after the failed attempt number `attempts` of a message that was written at `started_at`;
/// `None` if the message is given up. `random` is from 0 to 1.
pub(crate) fn next_attempt(
    attempts: u32,
    started_at: DateTime<Utc>,
    now: DateTime<Utc>,
    random: f64,
) -> Option<DateTime<Utc>> {
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let pause = PAUSES.get(index)?;
    let is_old = (now - started_at).to_std().is_ok_and(|age| age >= MAX_AGE);
    if is_old && attempts >= MIN_ATTEMPTS {
        return None;
    }
    Some(now + pause.mul_f64(1.0 - JITTER * random.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, Utc};
    use proptest::prelude::*;

    use super::next_attempt;

    fn at(second: u64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    /// Seconds from `first` on at which a message of second 0 is tried, if all attempts fail.
    fn attempts(first: u64, random: f64) -> Vec<i64> {
        let mut times = vec![at(first)];
        let mut number = 1;
        while let Some(next) = next_attempt(number, at(0), times[times.len() - 1], random) {
            times.push(next);
            number += 1;
        }
        times.iter().map(DateTime::timestamp).collect()
    }

    #[test]
    fn a_message_is_tried_eleven_times_over_a_day() {
        let times = attempts(0, 0.0);
        assert_eq!(times[..6], [0, 5, 35, 155, 755, 2_555]);
        assert_eq!((times.len(), times[10]), (11, 85_355));
    }

    #[test]
    fn a_message_that_waited_is_tried_three_times_at_least() {
        assert_eq!(attempts(200_000, 0.0), [200_000, 200_005, 200_035]);
    }

    proptest! {
        /// Attempts follow each other, none before four fifths of its pause; the last is within a day of the first.
        #[test]
        fn attempts_spread_over_a_day(random in prop::collection::vec(0.0_f64..=1.0, 12)) {
            let (mut now, mut number) = (at(0), 1_u32);
            for random in random {
                let Some(next) = next_attempt(number, at(0), now, random) else { break };
                let longest = next_attempt(number, at(0), now, 0.0).unwrap();
                prop_assert!(next > now && next <= longest);
                prop_assert!((next - now) * 5 >= (longest - now) * 4);
                now = next;
                number += 1;
            }
            prop_assert_eq!(number, 11);
            prop_assert!(now <= at(86_400) && now >= at(68_000));
        }
    }
}
