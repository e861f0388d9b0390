//! The suite as a user sees it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod audit;
mod behaviour;
mod faults;
mod orders;
mod poison;
mod products;
mod replicas;
