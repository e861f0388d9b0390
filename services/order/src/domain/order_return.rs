//! Returns: pieces of an order that customers send back.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use vocabulary::{Money, OrderId, PaymentId, Quantity, RefundId, ReturnId, Sku, WarehouseId};

use super::parcel::ParcelLine;

/// What a customer wants to send back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewReturn {
    pub(crate) id: ReturnId,
    /// Sorted by SKU; each SKU occurs once.
    pub(crate) lines: Vec<(Sku, Quantity, ReturnReason)>,
}

/// Pieces that a customer sends back together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderReturn {
    pub(crate) id: ReturnId,
    pub(crate) order: OrderId,
    /// Sorted by SKU; each SKU has one line only.
    pub(crate) lines: Vec<ReturnLine>,
    pub(crate) requested_at: DateTime<Utc>,
    pub(crate) state: ReturnState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnLine {
    pub(crate) sku: Sku,
    /// What the customer announced.
    pub(crate) quantity: Quantity,
    pub(crate) reason: ReturnReason,
    /// What arrived and can be sold again.
    pub(crate) restocked: u32,
    /// What arrived and cannot be sold any more.
    pub(crate) written_off: u32,
}

/// How far a return is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReturnState {
    /// The customer sends it.
    Requested,
    /// The warehouse has it.
    Received {
        at: DateTime<Utc>,
        /// Where the pieces are, if that is known.
        warehouse: Option<WarehouseId>,
    },
    /// The warehouse does not accept it.
    Refused { at: DateTime<Utc>, refusal: ReturnRefusal },
}

impl ReturnState {
    /// The name in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Received { .. } => "received",
            Self::Refused { .. } => "refused",
        }
    }
}

/// Why a customer sends pieces back. A closed list: free text would contain personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReturnReason {
    ChangedMind,
    DoesNotFit,
    NotAsDescribed,
    WrongItem,
    Damaged,
    Defective,
    TooLate,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {all}", all = ReturnReason::ALL.map(ReturnReason::as_str).join(", "))]
pub(crate) struct UnknownReturnReason;

impl ReturnReason {
    pub(crate) const ALL: [Self; 8] = [
        Self::ChangedMind,
        Self::DoesNotFit,
        Self::NotAsDescribed,
        Self::WrongItem,
        Self::Damaged,
        Self::Defective,
        Self::TooLate,
        Self::Other,
    ];

    /// The name in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ChangedMind => "changed_mind",
            Self::DoesNotFit => "does_not_fit",
            Self::NotAsDescribed => "not_as_described",
            Self::WrongItem => "wrong_item",
            Self::Damaged => "damaged",
            Self::Defective => "defective",
            Self::TooLate => "too_late",
            Self::Other => "other",
        }
    }
}

impl FromStr for ReturnReason {
    type Err = UnknownReturnReason;

    fn from_str(text: &str) -> Result<Self, UnknownReturnReason> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or(UnknownReturnReason)
    }
}

/// Why the warehouse does not accept a return. The pieces are still the customer's, and may be returned again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReturnRefusal {
    NotReceived,
    WrongItem,
    Used,
    NotReturnable,
    Withdrawn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {all}", all = ReturnRefusal::ALL.map(ReturnRefusal::as_str).join(", "))]
pub(crate) struct UnknownRefusal;

impl ReturnRefusal {
    pub(crate) const ALL: [Self; 5] =
        [Self::NotReceived, Self::WrongItem, Self::Used, Self::NotReturnable, Self::Withdrawn];

    /// The name in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NotReceived => "not_received",
            Self::WrongItem => "wrong_item",
            Self::Used => "used",
            Self::NotReturnable => "not_returnable",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl FromStr for ReturnRefusal {
    type Err = UnknownRefusal;

    fn from_str(text: &str) -> Result<Self, UnknownRefusal> {
        Self::ALL.into_iter().find(|refusal| refusal.as_str() == text).ok_or(UnknownRefusal)
    }
}

/// Pieces that came back, as an event tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnedPieces {
    pub(crate) id: ReturnId,
    pub(crate) warehouse: Option<WarehouseId>,
    pub(crate) restocked: Vec<ParcelLine>,
    pub(crate) written_off: Vec<ParcelLine>,
}

/// A part of a payment that is paid back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartRefund {
    pub(crate) id: RefundId,
    pub(crate) payment: PaymentId,
    pub(crate) amount: Money,
}

#[cfg(test)]
mod tests {
    use super::{ReturnReason, ReturnRefusal};

    #[test]
    fn every_reason_survives_a_round_trip_through_its_name() {
        for reason in ReturnReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
        for refusal in ReturnRefusal::ALL {
            assert_eq!(refusal.as_str().parse(), Ok(refusal));
        }
        assert!("ugly".parse::<ReturnReason>().is_err());
    }
}
