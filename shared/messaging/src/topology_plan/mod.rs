//! Compares a broker with the topology that services declare, and brings it into line.
//!
//! Services only add: what a release no longer declares stays on the broker, and an unused queue fills until the disk is full. A
//! [`Plan`] names what is missing, what differs and what no service uses. [`apply`] creates, [`prune`] removes.

mod broker_state;
mod change;
mod plan;

pub use self::{
    broker_state::{BrokerState, FoundBinding, FoundExchange, FoundQueue, management_of},
    change::{Change, PruneOptions, apply, prune, republish_unrouted},
    plan::{Missing, Plan, UnroutedQueue, Unused, UnusedQueue},
};
