#![doc = include_str!("../README.md")]

// Layers, from the bottom to the top; a module uses only its own layer and those before it:
//   1. activity, slot_groups, naming, declarations, definitions, difference, error, failure, retry, batch_size, snapshot, message_position,
//      provenance, signatures, pending_requests, broker, connection_status, settings, declare
//   2. queue_metrics
//   3. publish
//   4. consume
//   5. topology, unrouted_events, topology_watch
//   6. dead_letters, forget, reconcile, republish, streams, topology_plan
//   7. replay
//   8. runtime
mod activity;
mod batch_size;
mod broker;
mod connection_status;
mod consume;
pub mod dead_letters;
pub mod declarations;
mod declare;
pub mod definitions;
mod difference;
mod error;
mod failure;
mod forget;
mod message_position;
#[cfg(test)]
mod mutated_messages;
mod naming;
mod pending_requests;
mod provenance;
mod publish;
mod queue_metrics;
pub mod reconcile;
pub mod replay;
pub mod republish;
mod retry;
mod runtime;
mod settings;
mod signatures;
#[cfg(test)]
mod simulation;
mod slot_groups;
pub mod snapshot;
pub mod streams;
mod topology;
pub mod topology_plan;
mod topology_watch;
mod unrouted_events;

pub use batch_size::BatchSize;
pub use connection_status::ConnectionStatus;
pub use consume::{
    dispatch::Dispatch,
    handler::{Batch, Delivered, Handler},
    subscription::{OnReject, StateSubscription, Subscription},
};
pub use difference::{Difference, ObjectKind};
pub use error::{Cause, Error};
pub use failure::Failure;
pub use forget::forget_numbers;
pub use publish::{
    admission::{Criticality, OutboxBounds},
    backpressure::{BackpressureState, Overloaded},
    message_log::MessageLogBounds,
    outbox::{MIGRATOR, Outbox, with_session_timeouts},
    transaction::Transaction,
};
pub use queue_metrics::{OutboxMetrics, QueueMetrics, QueueReport};
pub use runtime::{MessagingRuntime, declare};
pub use signatures::{SignatureKeyError, Signatures};
pub use slot_groups::{DEFAULT_SLOT_GROUPS, InvalidSlotGroups, SlotGroups};
pub use topology::Topology;
