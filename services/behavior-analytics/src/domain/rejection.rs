//! Why an event is rejected.

use super::identity::InvalidId;

/// The machine-readable reason of a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RejectionCode {
    /// A field is missing or has the wrong type.
    Malformed,
    UnknownType,
    InvalidId,
    /// The event type requires a product.
    MissingProduct,
    TooManyProducts,
    TooOld,
    InFuture,
    PropertiesTooLarge,
    /// No event of this service corresponds to the event.
    Unmapped,
    /// The product of a mapped event is not in the catalogue.
    UnknownProduct,
}

impl RejectionCode {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownType => "unknown_type",
            Self::InvalidId => "invalid_id",
            Self::MissingProduct => "missing_product",
            Self::TooManyProducts => "too_many_products",
            Self::TooOld => "too_old",
            Self::InFuture => "in_future",
            Self::PropertiesTooLarge => "properties_too_large",
            Self::Unmapped => "unmapped",
            Self::UnknownProduct => "unknown_product",
        }
    }
}

/// The event is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Rejection {
    pub(crate) code: RejectionCode,
    /// For people; names the field.
    pub(crate) reason: String,
}

impl Rejection {
    pub(crate) fn new(code: RejectionCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    pub(crate) fn malformed(reason: impl Into<String>) -> Self {
        Self::new(RejectionCode::Malformed, reason)
    }

    pub(crate) fn invalid_id(field: &str, error: InvalidId) -> Self {
        Self::new(RejectionCode::InvalidId, format!("{field}: {error}"))
    }
}
