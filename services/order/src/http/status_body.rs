//! The status of an order in JSON and in query parameters.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::OrderStatus;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrderStatus)]
pub(super) enum StatusBody {
    /// Durable; inventory has not answered yet.
    Placed,
    /// The stock is reserved; the payment is pending.
    Reserved,
    /// Paid; the shipment is pending.
    Confirmed,
    Shipped,
    Delivered,
    /// All pieces have come back.
    Returned,
    /// Inventory could not reserve the stock.
    Rejected,
    /// The payment was declined.
    PaymentFailed,
    /// Inventory or the customer did not act before the deadline.
    Expired,
    /// Cancelled before it was shipped.
    Cancelled,
}

impl From<OrderStatus> for StatusBody {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::Placed => Self::Placed,
            OrderStatus::Reserved => Self::Reserved,
            OrderStatus::Confirmed => Self::Confirmed,
            OrderStatus::Shipped => Self::Shipped,
            OrderStatus::Delivered => Self::Delivered,
            OrderStatus::Returned => Self::Returned,
            OrderStatus::Rejected => Self::Rejected,
            OrderStatus::PaymentFailed => Self::PaymentFailed,
            OrderStatus::Expired => Self::Expired,
            OrderStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<StatusBody> for OrderStatus {
    fn from(status: StatusBody) -> Self {
        match status {
            StatusBody::Placed => Self::Placed,
            StatusBody::Reserved => Self::Reserved,
            StatusBody::Confirmed => Self::Confirmed,
            StatusBody::Shipped => Self::Shipped,
            StatusBody::Delivered => Self::Delivered,
            StatusBody::Returned => Self::Returned,
            StatusBody::Rejected => Self::Rejected,
            StatusBody::PaymentFailed => Self::PaymentFailed,
            StatusBody::Expired => Self::Expired,
            StatusBody::Cancelled => Self::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StatusBody;
    use crate::domain::OrderStatus;

    #[test]
    fn a_status_has_the_same_name_in_json_and_in_the_database() {
        for status in OrderStatus::ALL {
            let body = StatusBody::from(status);
            assert_eq!(serde_json::to_value(body).unwrap(), status.as_str());
            assert_eq!(OrderStatus::from(body), status);
        }
    }
}
