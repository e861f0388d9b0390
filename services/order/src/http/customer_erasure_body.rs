//! The erasure of a customer in JSON.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::CustomerId;

use crate::storage::customer_erasures::CustomerErasure;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomerErasure)]
pub(super) struct CustomerErasureBody {
    customer_id: CustomerId,
    requested_at: DateTime<Utc>,
    /// Whether every service has deleted what it stored.
    completed: bool,
    /// Orders that are not shipped yet. They need their address, which is erased once they are shipped or have ended.
    open_orders: i64,
    /// Each service that stores something about customers.
    services: Vec<ErasureStepBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErasureStep)]
struct ErasureStepBody {
    service: String,
    /// Absent until the service has deleted everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<DateTime<Utc>>,
}

impl From<CustomerErasure> for CustomerErasureBody {
    fn from(erasure: CustomerErasure) -> Self {
        let CustomerErasure { customer, requested_at, open_orders, steps } = erasure;
        let step = |(service, completed_at)| ErasureStepBody { service, completed_at };
        Self {
            customer_id: customer,
            requested_at,
            completed: steps.iter().all(|(_, completed_at)| completed_at.is_some()),
            open_orders,
            services: steps.into_iter().map(step).collect(),
        }
    }
}
