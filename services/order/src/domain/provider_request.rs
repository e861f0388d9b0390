//! What a payment provider is asked for.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use vocabulary::{Money, OrderId, PaymentId, RefundId};

use super::webhooks::next_attempt;

/// A payment that the provider is asked to authorise, while the customer waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorisation {
    pub(crate) order: OrderId,
    pub(crate) amount: Money,
    /// What the provider has given the customer's browser.
    pub(crate) token: String,
}

/// What came of asking for an authorisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuthorisationAnswer {
    Authorised {
        /// What the provider calls the payment.
        reference: String,
    },
    /// With the reason, for the customer.
    Declined(String),
    /// There was no answer, or none that can be understood.
    Failed(String),
}

/// What is asked for in the background, at least once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProviderOperation {
    /// Takes the money of an authorised payment.
    Capture,
    /// Gives up an authorisation.
    Void,
    /// Pays a payment back.
    Refund,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of capture, void, refund")]
pub(crate) struct UnknownOperation;

impl ProviderOperation {
    /// The name in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
        }
    }
}

impl FromStr for ProviderOperation {
    type Err = UnknownOperation;

    fn from_str(text: &str) -> Result<Self, UnknownOperation> {
        let found = [Self::Capture, Self::Void, Self::Refund]
            .into_iter()
            .find(|operation| operation.as_str() == text);
        found.ok_or(UnknownOperation)
    }
}

/// A request that the provider gets until it has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProviderRequest {
    pub(crate) operation: ProviderOperation,
    pub(crate) payment: PaymentId,
    /// The part of the payment that is refunded; `None` for all of it, and for other operations.
    pub(crate) refund: Option<RefundId>,
    pub(crate) order: OrderId,
    /// What the provider calls the payment.
    pub(crate) reference: String,
    pub(crate) amount: Money,
}

impl ProviderRequest {
    /// With the operation it tells requests apart: the provider gets it as the idempotency key.
    pub(crate) fn id(&self) -> Uuid {
        self.refund.map_or_else(|| self.payment.as_uuid(), RefundId::as_uuid)
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProviderAnswer {
    /// It is done, or will be without any doubt.
    Done {
        /// What the provider calls the capture, the void or the refund.
        reference: Option<String>,
    },
    /// The provider has not decided yet: it is asked again.
    Pending,
    /// The provider refuses; an operator must act.
    Refused(String),
    /// There was no answer, or none that can be understood: the provider is asked again.
    Failed(String),
}

/// What happens to a request after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestStep {
    Done { reference: Option<String> },
    Retry { at: DateTime<Utc>, error: Option<String> },
    GiveUp { error: String },
}

impl RequestStep {
    /// The step after attempt number `attempts` of a request that was made at `started_at`. `random` is from 0 to 1.
    pub(crate) fn after(
        answer: ProviderAnswer,
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
            ProviderAnswer::Done { reference } => Self::Done { reference },
            ProviderAnswer::Refused(error) => Self::GiveUp { error },
            ProviderAnswer::Pending => retry(None),
            ProviderAnswer::Failed(error) => retry(Some(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::{ProviderAnswer, RequestStep};

    #[test]
    fn a_request_is_repeated_until_it_is_decided_or_a_day_is_over() {
        let noon = DateTime::UNIX_EPOCH;
        let after = |answer, attempts| RequestStep::after(answer, attempts, noon, noon, 0.0);
        let done = ProviderAnswer::Done { reference: Some("re_1".to_owned()) };
        assert_eq!(after(done, 1), RequestStep::Done { reference: Some("re_1".to_owned()) });
        let error = "no money".to_owned();
        let refused = ProviderAnswer::Refused(error.clone());
        assert_eq!(after(refused, 1), RequestStep::GiveUp { error });
        let at = noon + Duration::from_secs(5);
        assert_eq!(after(ProviderAnswer::Pending, 1), RequestStep::Retry { at, error: None });
        let failed = ProviderAnswer::Failed("timeout".to_owned());
        let error = Some("timeout".to_owned());
        assert_eq!(after(failed.clone(), 1), RequestStep::Retry { at, error });
        assert!(matches!(after(failed, 11), RequestStep::GiveUp { .. }));
        assert!(matches!(after(ProviderAnswer::Pending, 11), RequestStep::GiveUp { .. }));
    }
}
