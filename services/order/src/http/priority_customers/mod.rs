//! Customers whose orders overtake others under a backlog; all routes need `orders:admin`.

pub(super) mod add_priority_customer;
pub(super) mod list_priority_customers;
pub(super) mod remove_priority_customer;
