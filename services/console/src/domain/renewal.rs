//! Which renewal tokens are valid.

use chrono::{DateTime, TimeDelta, Utc};

/// How long the token before the newest one is valid: a client may not have received the answer, and two tabs may ask at once.
const REPEAT_WITHIN: TimeDelta = TimeDelta::seconds(30);

/// What is stored of the renewal tokens that follow from one another.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) generation: i32,
    pub(crate) rotated_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) has_ended: bool,
}

/// What to do with a renewal token that was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RenewalDecision {
    /// Issue a token of this generation, which becomes the newest one.
    Rotate(i32),
    /// Issue a token of this generation again, which is the newest one.
    Repeat(i32),
    /// A token was used twice: it may be stolen. End the session.
    Reused,
    /// The session has ended.
    Ended,
}

/// Decides about a token of generation `presented`, whose signature is valid.
pub(crate) fn decide(session: &Session, presented: i32, now: DateTime<Utc>) -> RenewalDecision {
    if session.has_ended || session.expires_at <= now {
        return RenewalDecision::Ended;
    }
    let newest = session.generation;
    // A newer one than is stored: the database went back to an earlier state.
    if presented >= newest {
        return RenewalDecision::Rotate(presented.saturating_add(1));
    }
    let is_previous = presented.saturating_add(1) == newest;
    if is_previous && now - session.rotated_at <= REPEAT_WITHIN {
        RenewalDecision::Repeat(newest)
    } else {
        RenewalDecision::Reused
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::{RenewalDecision, Session, decide};

    #[test]
    fn each_token_is_used_once() {
        let noon = DateTime::UNIX_EPOCH + TimeDelta::hours(12);
        let session = Session {
            generation: 3,
            rotated_at: noon,
            expires_at: noon + TimeDelta::days(1),
            has_ended: false,
        };
        let later = |seconds| noon + TimeDelta::seconds(seconds);
        for (presented, seconds, expected) in [
            (3, 0, RenewalDecision::Rotate(4)),
            (3, 86_399, RenewalDecision::Rotate(4)),
            (3, 86_400, RenewalDecision::Ended),
            (2, 30, RenewalDecision::Repeat(3)),
            (2, 31, RenewalDecision::Reused),
            (1, 0, RenewalDecision::Reused),
            (0, 0, RenewalDecision::Reused),
            (7, 0, RenewalDecision::Rotate(8)),
        ] {
            let decided = decide(&session, presented, later(seconds));
            assert_eq!(decided, expected, "{presented} after {seconds} s");
        }
        let ended = Session { has_ended: true, ..session };
        assert_eq!(decide(&ended, 3, noon), RenewalDecision::Ended);
    }
}
