//! The inventory with a real PostgreSQL and a real RabbitMQ. Each test starts a service of its own, and plays the order
//! service and the catalogue itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod suite;

mod command_line;
mod dead_letters;
mod http;
mod orders;
mod pressure;
mod products;
