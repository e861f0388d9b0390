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
pub use connectivity::Connectivity;
pub use consumer::dispatch::Dispatch;
pub use consumer::handler::{Batch, Delivered, Handler};
pub use error::Error;
pub use failure::{Cause, Failure};
pub use kit::{Kit, MIGRATOR, Transaction, guarded};
pub use pressure::{OutboxBounds, Pressure, Shed, Worth};
pub use queues::{OutboxFigures, QueueFigures, QueueReport};
pub use settings::Messaging;
pub(crate) use settings::Settings;
pub use topology::{OnReject, SLOT_GROUPS, StateSubscription, Subscription, Topology};
