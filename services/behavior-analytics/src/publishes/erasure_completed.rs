//! `erasure.completed.v1`: everything about a customer is deleted.

use chrono::{DateTime, Utc};
use contracts::behavior::ErasureCompletedV1;
use vocabulary::CustomerId;

pub(crate) const fn erasure_completed(
    customer: CustomerId,
    completed_at: DateTime<Utc>,
) -> ErasureCompletedV1 {
    ErasureCompletedV1 { customer_id: customer, completed_at }
}
