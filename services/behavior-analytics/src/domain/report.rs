//! The rows of the reports.

use chrono::NaiveDate;
use uuid::Uuid;

/// The events of one kind that were received on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DailyEvents {
    /// In UTC.
    pub(crate) day: NaiveDate,
    pub(crate) kind: String,
    pub(crate) events: i64,
    /// Those of them that no rule excludes.
    pub(crate) counted: i64,
    /// Distinct visitors.
    pub(crate) visitors: i64,
}

/// The events that were received on one day with one verdict, of visitors with or without a signature.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DailyVerdict {
    /// In UTC.
    pub(crate) day: NaiveDate,
    pub(crate) verdict: String,
    pub(crate) signed: bool,
    pub(crate) events: i64,
    /// How much they count together.
    pub(crate) weight: f64,
}

/// How often visitors interacted with a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProductActivity {
    pub(crate) product_id: Uuid,
    pub(crate) views: i64,
    pub(crate) clicks: i64,
    pub(crate) carts: i64,
    pub(crate) orders: i64,
}

/// The outcomes of all events that were read from the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventConservation {
    pub(crate) received: i64,
    pub(crate) stored: i64,
    pub(crate) duplicates: i64,
    /// Events of visitors who were erased before.
    pub(crate) dropped: i64,
    /// Stored events that still exist.
    pub(crate) kept: i64,
    /// Stored events that were deleted with their visitor.
    pub(crate) erased: i64,
    /// Stored events that were deleted because of their age.
    pub(crate) expired: i64,
}

impl EventConservation {
    /// Whether no event is lost and none is counted twice.
    pub(crate) const fn holds(&self) -> bool {
        self.received == self.stored + self.duplicates + self.dropped
            && self.stored == self.kept + self.erased + self.expired
    }
}
