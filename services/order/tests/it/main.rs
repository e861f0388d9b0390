//! The order service against a real PostgreSQL and a real RabbitMQ, between an inventory and a catalogue of the test's own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod catalogue;
mod compensation;
mod instances;
mod inventory;
mod payments;
mod placing;
mod pressure;
mod reading;
mod replaying;
mod shop;
mod way;
mod webhooks;
