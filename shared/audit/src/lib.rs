#![doc = include_str!("../README.md")]

mod error;
mod findings;
mod suite;

mod sessions;
mod streams;

mod copies;
mod messages;
mod orders;
mod stock;
mod user_events;

mod pass;

pub use error::Error;
pub use findings::{Findings, INVARIANTS, Violation};
pub use pass::{Progress, Settled, run, run_until_settled};
pub use suite::{Broker, Databases, DatabasesError, SERVICES, Suite};
