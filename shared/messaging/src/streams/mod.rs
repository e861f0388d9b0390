//! Streams: replayable logs of the broker, for events that arrive faster than a database should store them one by one.
//!
//! [`StreamWriter`] is the only exception to the outbox: it appends to the stream directly and returns when the broker has confirmed.
//! Its guarantee is weaker: a confirmed append survives the crash of any process but not a power failure, and it may be stored twice.
//! Readers recognise duplicates by an id inside.
//!
//! [`read`] passes messages to a handler in a transaction that also commits the offset: each append takes effect once, unless the
//! stream is lost; see [`StreamHandler`].

mod declare;
pub(crate) mod handler;
pub(crate) mod position;
mod reader;
mod writer;

pub use self::{
    declare::declare,
    handler::StreamHandler,
    reader::read,
    writer::{AppendError, StreamWriter, StreamWriterTask},
};

/// The prefetch of a stream consumer, in messages.
pub(crate) const PREFETCH: u16 = 200;
