//! The search service with real PostgreSQL, RabbitMQ and index files. Each test starts its own service and
//! plays the catalogue, the inventory and the analytics.
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod events;
#[path = "../index/model.rs"]
mod model;
mod suite;

mod command_line;
mod consistency;
mod faults;
mod http;
mod operations;
mod popularity;
mod products;
mod random_events;
mod rebuild;
mod receipts;
mod rules;
mod stock;
mod synonyms;
