//! The behaviour analytics with a real PostgreSQL and a real RabbitMQ. Each test starts a service of its own, and plays the
//! other services itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod suite;

mod command_line;
mod erasing;
mod faults;
mod http;
mod intake;
mod popularity;
mod products;
mod recommending;
mod replaying;
