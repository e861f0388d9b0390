//! The search service with a real PostgreSQL, a real RabbitMQ and a real index on the disk. Each test starts a service of
//! its own, and plays the catalogue, the inventory and the analytics itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod actors;
mod shop;
mod suite;

mod command_line;
mod faults;
mod http;
mod popularity;
mod products;
mod rebuilding;
mod receipts;
mod stock;
mod upkeep;
