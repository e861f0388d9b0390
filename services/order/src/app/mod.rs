//! Use cases. Each takes a transaction and domain values, decides with [`crate::domain`], and records the result.

mod deadline_waker;
pub(crate) mod order_process;

pub(crate) mod cancel_order;
pub(crate) mod confirm_reservation;
pub(crate) mod extend_hold;
pub(crate) mod pay_order;
pub(crate) mod place_order;
pub(crate) mod record_payment;
pub(crate) mod record_shipment;
pub(crate) mod record_stock_deducted;
pub(crate) mod record_stock_released;
pub(crate) mod reject_order;
pub(crate) mod replay_offers;
pub(crate) mod update_offers;
pub(crate) mod withdraw_offers;
