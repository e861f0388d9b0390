#![doc = include_str!("../README.md")]

mod envelope;
mod event;
mod event_id;
pub mod schema;
mod slot;
pub mod trace;
mod upcast;

pub use envelope::{
    BATCH_CONTENT_TYPE, DecodeError, Envelope, Priority, SpecVersion, decode_batch, decode_parts,
    encode_batch, fits_attribute,
};
pub use event::{Event, EventKind, FullState};
pub use event_id::EventId;
pub use slot::{SLOTS, Slot};
pub use upcast::Upcast;
