//! The kit against a real PostgreSQL and a real RabbitMQ.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "some tests have a figure to tell")]

mod bloat;
mod cluster;
mod dead_letters;
mod delivery;
mod dispatch;
mod faults;
mod letters;
mod migration;
mod poison;
mod pressure;
mod queues;
mod replay;
mod replicas;
mod shop;
mod stream;
mod stream_replay;
mod upcast;
mod wake;
mod ways;
