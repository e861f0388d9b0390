//! Tests of the messaging kit with a real PostgreSQL and a real RabbitMQ.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "some tests print a measurement")]

mod backpressure;
mod cluster;
mod dead_letter_admin;
mod dead_letters;
mod delivery;
mod dispatch;
mod event_versions;
mod faults;
mod harness;
mod isolation;
mod lost_events;
mod migration;
mod missing_messages;
mod network_faults;
mod outbox_bloat;
mod parked_events;
mod poison;
mod provenance;
mod queue_metrics;
mod reconcile;
mod relay_wakeup;
mod replay;
mod replicas;
mod republish;
mod rest;
mod signatures;
mod slot_groups;
mod stream;
mod stream_replay;
mod tls;
mod topology;
mod unknown_types;
mod users;
