//! Events of the order service: what is bought together, and who is erased.

pub(crate) mod customer_erased;
pub(crate) mod order_confirmed;
