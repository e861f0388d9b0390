//! Event handlers.

use std::{collections::HashMap, panic::AssertUnwindSafe};

use chrono::{DateTime, Utc};
use envelope::{
    DecodeError, Envelope, Event, EventId, Priority, schema::Contract, trace::TraceContext,
};
use futures::{FutureExt, future::BoxFuture};

use super::received_event::ReceivedEvent;
use crate::{failure::Failure, publish::transaction::Transaction};

/// Handles the events of one type, in batches.
///
/// The kit begins the transaction, checks that each event is the next of its key, commits, and acknowledges. The handler writes its
/// effects and emits events in the transaction only: any effect outside may happen more than once.
pub trait Handler: Send + Sync + 'static {
    type Event: Event;

    /// Applies all events of the batch in order.
    ///
    /// An error applies to the whole batch: it is rolled back and retried in halves, until a single event fails alone. If the handler
    /// knows which event fails, it calls [`Batch::fail`]: then the batch is rolled back and retried without that event and its
    /// successors.
    fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Self::Event>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Events of one type. The events of one key are in sequence.
#[derive(Debug)]
pub struct Batch<E> {
    delivered: Vec<Delivered<E>>,
    failures: EventFailures,
}

impl<E> Batch<E> {
    /// The events.
    pub fn delivered(&self) -> &[Delivered<E>] {
        &self.delivered
    }

    /// Marks the event at `index` of [`delivered`](Self::delivered) as failed. The kit rolls the transaction back, so the handler
    /// need not undo anything.
    ///
    /// # Panics
    ///
    /// If the index is out of range. The panic becomes the reason of a dead letter.
    pub fn fail(&mut self, index: usize, failure: Failure) {
        assert!(index < self.delivered.len(), "there is no event {index} in this batch");
        self.failures.insert(index, failure);
    }
}

/// An event with metadata of its envelope.
#[derive(Debug, Clone)]
pub struct Delivered<E> {
    pub id: EventId,
    /// The service that published it.
    pub source: String,
    /// Its number within (source, aggregate, key).
    pub sequence: i64,
    /// The time of publication.
    pub time: DateTime<Utc>,
    /// The number of failed attempts before this one.
    pub attempts: u32,
    /// The trace to which it belongs.
    pub cause: Option<TraceContext>,
    pub priority: Priority,
    pub event: E,
}

/// Failures of single events by index.
pub(crate) type EventFailures = HashMap<usize, Failure>;

/// A handler with an erased event type.
pub(crate) trait DynHandler: Send + Sync {
    /// Decodes and handles events. A panic counts as a failure.
    fn handle<'a>(
        &'a self,
        tx: &'a mut Transaction,
        events: &'a [&'a ReceivedEvent],
    ) -> BoxFuture<'a, Result<EventFailures, Failure>>;

    /// Decodes an event without handling it; returns its key according to its data.
    fn decode_key(&self, envelope: &Envelope) -> Result<String, DecodeError>;

    /// The contract of the event type.
    fn contract(&self) -> Contract;
}

/// Adapts a [`Handler`] to [`DynHandler`].
pub(super) struct TypedHandler<H>(pub(super) H);

impl<H: Handler> DynHandler for TypedHandler<H> {
    fn handle<'a>(
        &'a self,
        tx: &'a mut Transaction,
        events: &'a [&'a ReceivedEvent],
    ) -> BoxFuture<'a, Result<EventFailures, Failure>> {
        Box::pin(async move {
            let mut batch =
                Batch { delivered: Vec::with_capacity(events.len()), failures: HashMap::new() };
            for (index, received) in events.iter().enumerate() {
                match received.envelope.data() {
                    Ok(event) => batch.delivered.push(delivered(received, event)),
                    Err(error) => {
                        batch.failures.insert(index, Failure::reject("undecodable", error));
                    }
                }
            }
            if !batch.failures.is_empty() {
                return Ok(batch.failures);
            }
            match AssertUnwindSafe(self.0.handle(tx, &mut batch)).catch_unwind().await {
                Ok(result) => result.map(|()| batch.failures),
                Err(panic) => Err(Failure::reject("panicked", panic_text(&*panic))),
            }
        })
    }

    fn decode_key(&self, envelope: &Envelope) -> Result<String, DecodeError> {
        let event: H::Event = envelope.data()?;
        Ok(event.key().into_owned())
    }

    fn contract(&self) -> Contract {
        Contract::of::<H::Event>()
    }
}

fn delivered<E>(received: &ReceivedEvent, event: E) -> Delivered<E> {
    let envelope = &received.envelope;
    Delivered {
        id: envelope.id,
        source: envelope.source.clone(),
        sequence: envelope.sequence,
        time: envelope.time,
        attempts: received.attempts,
        cause: envelope.traceparent.as_deref().and_then(TraceContext::parse),
        priority: envelope.priority,
        event,
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}
