#![doc = include_str!("../README.md")]

pub mod behavior;
pub mod catalog;
pub mod compatibility;
mod envelope;
mod event;
pub mod inventory;
pub mod misfits;
pub mod order;
pub mod receipts;
pub mod schema;
mod slot;
pub mod trace;
mod upcast;

pub use envelope::{
    BATCH_CONTENT_TYPE, Envelope, Priority, SpecVersion, Undecodable, decode_batch, decode_parts,
    encode_batch, fits_attribute,
};
pub use event::{Event, EventKind, FullState};
pub use slot::{SLOTS, Slot};
pub use upcast::Upcast;
