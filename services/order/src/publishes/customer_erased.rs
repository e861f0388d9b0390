//! `customer.erased.v1`.

use chrono::{DateTime, Utc};
use contracts::order::CustomerErasedV1;
use vocabulary::CustomerId;

pub(crate) const fn customer_erased(
    customer: CustomerId,
    erased_at: DateTime<Utc>,
) -> CustomerErasedV1 {
    CustomerErasedV1 { customer_id: customer, erased_at }
}
