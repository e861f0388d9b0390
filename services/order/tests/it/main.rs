//! The order service on a real PostgreSQL and a real RabbitMQ, with doubles of inventory and product-catalog.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod inventory_double;
mod shop;
mod webhook_receiver;

mod backpressure;
mod cancelled_lines;
mod compensation;
mod cost_rules;
mod costs;
mod customer_erasures;
mod honest_prices;
mod instances;
mod lifecycle;
mod money;
mod operations;
mod order_limits;
mod order_lists;
mod outgoing_webhooks;
mod payment_provider;
mod payments;
mod place_order;
mod priority;
mod product_catalog;
mod read_orders;
mod refunds;
mod replay;
mod returns;
mod webhooks;
