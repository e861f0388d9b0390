//! Refunds that a payment provider makes.

use chrono::{DateTime, Utc};
use vocabulary::{Money, OrderId, PaymentId};

use super::webhooks::next_attempt;

/// A refund that the provider is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefundRequest {
    pub(crate) payment: PaymentId,
    pub(crate) order: OrderId,
    /// What the provider calls the payment.
    pub(crate) reference: String,
    pub(crate) amount: Money,
}

/// What came of asking the provider for a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RefundAnswer {
    /// The money is paid back, or will be without any doubt.
    Refunded {
        /// What the provider calls the refund.
        reference: Option<String>,
    },
    /// The provider has not decided yet: it is asked again.
    Pending,
    /// The provider refuses the refund; an operator must act.
    Refused(String),
    /// There was no answer, or none that can be understood: the provider is asked again.
    Failed(String),
}

/// What happens to a refund after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RefundStep {
    Done { reference: Option<String> },
    Retry { at: DateTime<Utc>, error: Option<String> },
    GiveUp { error: String },
}

impl RefundStep {
    /// The step after attempt number `attempts` of a refund that was requested at `started_at`. `random` is from 0 to 1.
    pub(crate) fn after(
        answer: RefundAnswer,
        attempts: u32,
        started_at: DateTime<Utc>,
        now: DateTime<Utc>,
        random: f64,
    ) -> Self {
        let retry = |error: Option<String>| match next_attempt(attempts, started_at, now, random) {
            Some(at) => Self::Retry { at, error },
            None => Self::GiveUp {
                error: error.unwrap_or_else(|| "the provider did not decide in time".to_owned()),
            },
        };
        match answer {
            RefundAnswer::Refunded { reference } => Self::Done { reference },
            RefundAnswer::Refused(error) => Self::GiveUp { error },
            RefundAnswer::Pending => retry(None),
            RefundAnswer::Failed(error) => retry(Some(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::{RefundAnswer, RefundStep};

    #[test]
    fn a_refund_is_asked_for_until_it_is_decided_or_a_day_is_over() {
        let noon = DateTime::UNIX_EPOCH;
        let after = |answer, attempts| RefundStep::after(answer, attempts, noon, noon, 0.0);
        let done = RefundAnswer::Refunded { reference: Some("re_1".to_owned()) };
        assert_eq!(after(done, 1), RefundStep::Done { reference: Some("re_1".to_owned()) });
        let error = "no money".to_owned();
        let refused = RefundAnswer::Refused(error.clone());
        assert_eq!(after(refused, 1), RefundStep::GiveUp { error });
        let at = noon + Duration::from_secs(5);
        assert_eq!(after(RefundAnswer::Pending, 1), RefundStep::Retry { at, error: None });
        let failed = RefundAnswer::Failed("timeout".to_owned());
        let error = Some("timeout".to_owned());
        assert_eq!(after(failed.clone(), 1), RefundStep::Retry { at, error });
        assert!(matches!(after(failed, 11), RefundStep::GiveUp { .. }));
        assert!(matches!(after(RefundAnswer::Pending, 11), RefundStep::GiveUp { .. }));
    }
}
