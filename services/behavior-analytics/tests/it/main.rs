//! Integration tests of behavior-analytics with a real PostgreSQL and a real RabbitMQ. Each test starts its
//! own instance and plays the other services.

#![expect(clippy::unwrap_used, reason = "a failed precondition fails the test")]

mod suite;

mod clean_events;
mod command_line;
mod erasure;
mod faults;
mod http;
mod ingestion;
mod mappings;
mod migrations;
mod operations;
mod popularity;
mod products;
mod recommendations;
mod replay;
