//! Payments and payment methods.

use std::str::FromStr;

use vocabulary::{Money, PaymentId};

/// How an order is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaymentMethod {
    /// The built-in provider approves at once.
    Test,
    /// The built-in provider declines at once.
    TestDecline,
    /// The order waits for a payment by the customer or a webhook of a provider.
    Manual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of test, test_decline, manual")]
pub(crate) struct UnknownPaymentMethod;

impl PaymentMethod {
    /// The name in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::TestDecline => "test_decline",
            Self::Manual => "manual",
        }
    }
}

impl FromStr for PaymentMethod {
    type Err = UnknownPaymentMethod;

    fn from_str(text: &str) -> Result<Self, UnknownPaymentMethod> {
        let found = [Self::Test, Self::TestDecline, Self::Manual]
            .into_iter()
            .find(|method| method.as_str() == text);
        found.ok_or(UnknownPaymentMethod)
    }
}

/// A payment as its provider reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) id: PaymentId,
    /// The provider's own id; the built-in provider has none.
    pub(crate) reference: Option<String>,
    pub(crate) outcome: PaymentOutcome,
    /// What was paid, if the provider reports it; otherwise the total of the order.
    pub(crate) amount: Option<Money>,
}

impl Payment {
    /// Whether another amount was paid than the `total` of the order.
    pub(super) fn differs_from(&self, total: Option<Money>) -> bool {
        self.amount.is_some() && self.amount != total
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaymentOutcome {
    Approved,
    Declined,
}

/// The state of a recorded payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaymentState {
    Approved,
    Declined,
    /// Another amount than the total of the order; an operator must decide.
    Mismatched,
}

/// A payment arrived before inventory answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the order cannot be paid before its stock is reserved")]
pub(crate) struct PaymentTooEarly;
