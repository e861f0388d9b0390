#![doc = include_str!("../README.md")]

mod adaptive;
mod broker;
mod connectivity;
mod consumer;
pub mod dead_letters;
mod error;
mod failure;
mod kit;
mod lease;
mod outbox;
mod pressure;
mod queues;
mod relay;
pub mod replay;
mod retry;
mod settings;
#[cfg(test)]
mod simulation;
pub mod snapshot;
pub mod stream;
mod topology;
mod wake;

pub use adaptive::BatchSize;
pub use broker::declare;
pub use connectivity::ConnectionStatus;
// temporary alias
#[doc(hidden)]
pub use connectivity::ConnectionStatus as Connectivity;
pub use consumer::dispatch::Dispatch;
pub use consumer::handler::{Batch, Delivered, Handler};
pub use error::Error;
pub use failure::{Cause, Failure};
pub use kit::{MIGRATOR, Outbox, Transaction, with_session_timeouts};
// temporary aliases
#[doc(hidden)]
pub use kit::{Outbox as Kit, guarded};
pub use pressure::{BackpressureState, Criticality, OutboxBounds, Overloaded};
// temporary aliases
#[doc(hidden)]
pub use pressure::{BackpressureState as Pressure, Criticality as Worth, Overloaded as Shed};
pub use queues::{OutboxMetrics, QueueMetrics, QueueReport};
// temporary aliases
#[doc(hidden)]
pub use queues::{OutboxMetrics as OutboxFigures, QueueMetrics as QueueFigures};
pub use settings::MessagingRuntime;
// temporary alias
#[doc(hidden)]
pub use settings::MessagingRuntime as Messaging;
pub(crate) use settings::Settings;
pub use topology::{OnReject, SLOT_GROUPS, StateSubscription, Subscription, Topology};
