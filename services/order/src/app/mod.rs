//! Use cases. Each takes a transaction and domain values, decides with [`crate::domain`], and records the result.

pub(crate) mod cancel_order;
mod deadline_waker;
pub(crate) mod order_process;
pub(crate) mod pay_order;
pub(crate) mod place_order;
pub(crate) mod record_payment;
pub(crate) mod record_shipment;
pub(crate) mod replay_offers;
