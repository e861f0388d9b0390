#![doc = include_str!("../README.md")]

mod client;
mod error;

pub use client::{
    Connection, ManagementClient, MessageStats, MessageTotals, QueueState, percent_encoded,
};
pub use error::Error;
