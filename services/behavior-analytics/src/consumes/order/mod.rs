//! Events of orders: they report what is bought together.

pub(crate) mod order_confirmed;
