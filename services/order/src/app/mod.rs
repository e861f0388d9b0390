//! Use cases. Each takes a transaction and domain values, decides with [`crate::domain`], and records the result.

mod cost_rules;
mod deadline_waker;
pub(crate) mod erasure_waker;
mod order_costs;
pub(crate) mod order_process;
pub(crate) mod payment_provider;
pub(crate) mod refund_waker;
pub(crate) mod webhook_client;
pub(crate) mod webhook_waker;
pub(crate) mod write_webhooks;

pub(crate) mod cancel_order;
pub(crate) mod change_cost_rules;
pub(crate) mod confirm_reservation;
pub(crate) mod create_webhook_endpoint;
pub(crate) mod erase_customers;
pub(crate) mod extend_hold;
pub(crate) mod pay_order;
pub(crate) mod place_order;
pub(crate) mod quote_order;
pub(crate) mod record_payment;
pub(crate) mod record_refund;
pub(crate) mod record_shipment;
pub(crate) mod record_stock_deducted;
pub(crate) mod record_stock_released;
pub(crate) mod record_webhook_attempts;
pub(crate) mod redeliver_webhook;
pub(crate) mod reject_order;
pub(crate) mod repair_lost_erasures;
pub(crate) mod repair_lost_orders;
pub(crate) mod repeat_customer_erasures;
pub(crate) mod replay_offers;
pub(crate) mod resume_webhook_endpoint;
pub(crate) mod rotate_webhook_secret;
pub(crate) mod test_webhook_endpoint;
pub(crate) mod update_offers;
pub(crate) mod withdraw_offers;
