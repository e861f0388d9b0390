//! The kit against a real PostgreSQL and a real RabbitMQ.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod dead_letters;
mod delivery;
mod faults;
mod replay;
mod shop;
mod stream;
mod stream_replay;
mod upcast;
