//! The kit against a real PostgreSQL and a real RabbitMQ.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod dead_letters;
mod delivery;
mod faults;
mod letters;
mod shop;
mod stream;
mod upcast;
