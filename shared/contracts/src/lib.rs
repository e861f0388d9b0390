#![doc = include_str!("../README.md")]

pub mod behavior;
pub mod catalog;
pub mod inventory;
pub mod order;
pub mod receipts;
pub mod schema;

// temporary aliases: the envelope is a crate of its own
pub use envelope::{
    BATCH_CONTENT_TYPE, DecodeError, Envelope, Event, EventKind, FullState, Priority, SLOTS, Slot,
    SpecVersion, Upcast, decode_batch, decode_parts, encode_batch, fits_attribute,
    schema::compatibility, trace,
};
