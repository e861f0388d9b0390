//! What a service does with an event it hears.

use std::{collections::HashMap, panic::AssertUnwindSafe, time::Duration};

use chrono::{DateTime, Utc};
use envelope::{DecodeError, Envelope, Event, EventId, schema::Contract, trace::TraceContext};
use futures::{FutureExt, future::BoxFuture};
use tokio::time::{Instant, timeout_at};

use super::core::{Incoming, Run, Step, runs};
use crate::{Failure, Subscription, Transaction, failure::Verdict};

/// Handles the events of one type, as many at a time as are there.
///
/// The kit opens the transaction, has checked that each event is the next of its key, commits, and acknowledges. The
/// handler does its effects in the transaction, says events with it, and nothing else: whatever it does outside may
/// happen more than once.
pub trait Handler: Send + Sync + 'static {
    /// The type of event it handles.
    type Event: Event;

    /// Does the effects of all events of the batch, in their order.
    ///
    /// An error is about the whole batch: it is rolled back and tried again in halves, until one event stands alone and
    /// the error's verdict is its own. Where the handler knows which event it is, it says so with [`Batch::refuse`]; then
    /// the batch is rolled back and done again without that event and those behind it.
    fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Self::Event>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Events of one type, in order; more than one of a key stand in the order of the key.
#[derive(Debug)]
pub struct Batch<E> {
    delivered: Vec<Delivered<E>>,
    refused: HashMap<usize, Failure>,
}

impl<E> Batch<E> {
    /// The events.
    pub fn delivered(&self) -> &[Delivered<E>] {
        &self.delivered
    }

    /// Leaves out the event at `index` of [`delivered`](Self::delivered). What was done in the transaction so far is rolled
    /// back by the kit, so nothing needs to be undone.
    ///
    /// # Panics
    ///
    /// If there is no such event; that is a mistake of the handler's, and becomes a dead letter with that reason.
    pub fn refuse(&mut self, index: usize, failure: Failure) {
        assert!(index < self.delivered.len(), "there is no event {index} in this batch");
        self.refused.insert(index, failure);
    }
}

/// An event with what the envelope says of it.
#[derive(Debug, Clone)]
pub struct Delivered<E> {
    /// Unique for ever.
    pub id: EventId,
    /// Who said it.
    pub source: String,
    /// Its number within (source, aggregate, key).
    pub sequence: i64,
    /// When it was said.
    pub time: DateTime<Utc>,
    /// How often it has been tried before: zero at first.
    pub attempts: u32,
    /// What caused it.
    pub cause: Option<TraceContext>,
    /// The event itself.
    pub event: E,
}

/// Refusals by their place in what was handed in.
pub(crate) type Refusals = HashMap<usize, Failure>;

/// A handler whose event type is forgotten.
pub(crate) trait DynHandler: Send + Sync {
    /// Decodes and handles; a panic is a failure like another.
    fn handle<'a>(
        &'a self,
        tx: &'a mut Transaction,
        incoming: &'a [&'a Incoming],
    ) -> BoxFuture<'a, Result<Refusals, Failure>>;

    /// Reads the event and does nothing with it: its key, as its data has it.
    fn read(&self, envelope: &Envelope) -> Result<String, DecodeError>;

    /// What it is able to read.
    fn contract(&self) -> Contract;
}

/// What came of handing events to their handlers. Unless it is done, what was done is to be rolled back.
#[derive(Debug)]
pub(crate) enum Handed {
    /// All have done their effects.
    Done,
    /// These failed, by their places.
    Failed(Vec<(usize, Failure)>),
    /// One of several failed, and nobody knows which.
    Split(Failure),
    /// Several took longer together than they may. Each is to be tried alone: halves would take as long where one of them hangs, and halves
    /// of these again.
    Late(Failure),
}

/// Hands those of `incoming` that are to be applied to their handlers, in as few runs as the order of each key allows; all of them
/// together within `limit`.
pub(crate) async fn hand(
    subscription: &Subscription,
    tx: &mut Transaction,
    incoming: &[Incoming],
    steps: &[Step],
    limit: Duration,
) -> Handed {
    let deadline = Instant::now() + limit;
    let is_alone = steps.iter().filter(|step| **step == Step::Apply).count() == 1;
    for Run { kind, indices } in runs(incoming, steps) {
        let Some(handler) = subscription.handler(&kind) else { continue };
        let events: Vec<&Incoming> = indices.iter().map(|index| &incoming[*index]).collect();
        let refused = match timeout_at(deadline, handler.handle(tx, &events)).await {
            Ok(Ok(refused)) if refused.is_empty() => continue,
            Ok(Ok(refused)) => refused,
            Ok(Err(failure)) if failure.verdict != Verdict::Unavailable && events.len() > 1 => {
                return Handed::Split(failure);
            }
            Ok(Err(failure)) => HashMap::from([(0, failure)]),
            Err(_) => {
                let late = Failure::late(limit);
                if !is_alone {
                    return Handed::Late(late);
                }
                HashMap::from([(0, late)])
            }
        };
        let at = |(place, failure): (usize, Failure)| Some((*indices.get(place)?, failure));
        return Handed::Failed(refused.into_iter().filter_map(at).collect());
    }
    Handed::Done
}

/// Makes a [`Handler`] a [`DynHandler`].
pub(crate) struct Typed<H>(pub(crate) H);

impl<H: Handler> DynHandler for Typed<H> {
    fn handle<'a>(
        &'a self,
        tx: &'a mut Transaction,
        incoming: &'a [&'a Incoming],
    ) -> BoxFuture<'a, Result<Refusals, Failure>> {
        Box::pin(async move {
            let mut batch =
                Batch { delivered: Vec::with_capacity(incoming.len()), refused: HashMap::new() };
            for (index, one) in incoming.iter().enumerate() {
                match one.envelope.data() {
                    Ok(event) => batch.delivered.push(delivered(one, event)),
                    Err(error) => {
                        batch.refused.insert(index, Failure::reject("undecodable", error));
                    }
                }
            }
            if !batch.refused.is_empty() {
                return Ok(batch.refused);
            }
            match AssertUnwindSafe(self.0.handle(tx, &mut batch)).catch_unwind().await {
                Ok(result) => result.map(|()| batch.refused),
                Err(panic) => Err(Failure::reject("panicked", panic_text(&*panic))),
            }
        })
    }

    fn read(&self, envelope: &Envelope) -> Result<String, DecodeError> {
        let event: H::Event = envelope.data()?;
        Ok(event.key().into_owned())
    }

    fn contract(&self) -> Contract {
        Contract::of::<H::Event>()
    }
}

fn delivered<E>(incoming: &Incoming, event: E) -> Delivered<E> {
    let envelope = &incoming.envelope;
    Delivered {
        id: envelope.id,
        source: envelope.source.clone(),
        sequence: envelope.sequence,
        time: envelope.time,
        attempts: incoming.attempts,
        cause: envelope.traceparent.as_deref().and_then(TraceContext::parse),
        event,
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}
