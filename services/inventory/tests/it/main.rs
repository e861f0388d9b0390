//! The inventory service on a real PostgreSQL and a real RabbitMQ. Each test starts its own instance, and
//! plays the order service and the catalogue.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod suite;

mod command_line;
mod counts;
mod dead_letters;
mod http;
mod mutated_messages;
mod operations;
mod orders;
mod pressure;
mod products;
