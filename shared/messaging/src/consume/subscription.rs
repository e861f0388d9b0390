//! Subscriptions: what a service consumes, and how.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use envelope::{Envelope, Event, FullState};

use super::{
    dispatch::Dispatch,
    handler::{DynHandler, Handler, TypedHandler},
};
use crate::{
    batch_size::BatchSize, error::Error, naming::consumer_queue, publish::transaction::Transaction,
};

/// Emits events when an event becomes a dead letter, given its envelope and the reason.
type OnDeadLetter = dyn Fn(&mut Transaction, &Envelope, &str) -> Result<(), Error> + Send + Sync;

/// The longest timeout of a handler call. It exceeds the statement timeout, so an oversized statement fails with the error of
/// the database.
pub(crate) const MAX_HANDLER_TIMEOUT: Duration = Duration::from_secs(40);

/// How many unknown event types are remembered, so that each is logged once.
const LOGGED_TYPES: usize = 100;

/// What happens to the later events of a key after one of them is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnReject {
    /// They wait until an operator has resolved the dead letter: for processes, where no step may be skipped.
    BlockKey,
    /// They are processed: for projections of full state, which the next event corrects.
    Continue,
}

/// What a subscription does with the events of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reception {
    Handled,
    /// The subscription declares that they do not concern it: only the cursor moves.
    Ignored,
    /// They wait for a version of the program that knows the type.
    Unknown,
}

/// How a subscription prevents duplicate effects and stale overwrites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ordering {
    /// Events of a key are applied in sequence; a gap delays later ones.
    Sequenced(OnReject),
    /// The event with the highest number of a key wins, whatever the order of arrival.
    LatestWins(Dispatch),
}

/// A service's subscription to one aggregate: its own cursors, and one quorum queue per slot group.
///
/// It receives *all* events of the aggregate, so a gap in the numbers always means a loss. For each type it has a handler
/// ([`on`](Self::on)) or declares that the type does not concern it ([`ignores`](Self::ignores)). An event of any other type is parked,
/// with the later ones of its key, and becomes a dead letter `unknown_type`. When a program starts that knows the type, the events are
/// applied in order and the dead letter is resolved.
#[derive(Clone)]
pub struct Subscription {
    aggregate: &'static str,
    publishers: Vec<&'static str>,
    ordering: Ordering,
    batch_size: BatchSize,
    min_interval: Duration,
    handler_timeout: Duration,
    handlers: HashMap<&'static str, Arc<dyn DynHandler>>,
    ignored: BTreeSet<&'static str>,
    /// Unknown event types that have been logged.
    logged: Arc<Mutex<BTreeSet<String>>>,
    on_dead_letter: Option<Arc<OnDeadLetter>>,
}

impl Subscription {
    /// Subscribes to `aggregate` as published by `publishers`: services by directory name.
    pub fn to(
        aggregate: &'static str,
        publishers: impl IntoIterator<Item = &'static str>,
        on_reject: OnReject,
    ) -> Self {
        Self::with_ordering(aggregate, publishers, Ordering::Sequenced(on_reject))
    }

    /// Subscribes to `aggregate`, where every handled event is [`FullState`]. See [`StateSubscription`].
    pub fn to_state(
        aggregate: &'static str,
        publishers: impl IntoIterator<Item = &'static str>,
    ) -> StateSubscription {
        let ordering = Ordering::LatestWins(Dispatch::Fifo);
        StateSubscription(Self::with_ordering(aggregate, publishers, ordering))
    }

    fn with_ordering(
        aggregate: &'static str,
        publishers: impl IntoIterator<Item = &'static str>,
        ordering: Ordering,
    ) -> Self {
        Self {
            aggregate,
            publishers: publishers.into_iter().collect(),
            ordering,
            batch_size: BatchSize::default(),
            min_interval: Duration::ZERO,
            handler_timeout: MAX_HANDLER_TIMEOUT,
            handlers: HashMap::new(),
            ignored: BTreeSet::new(),
            logged: Arc::default(),
            on_dead_letter: None,
        }
    }

    /// Sets how many events one transaction processes.
    #[must_use]
    pub const fn batch(mut self, size: BatchSize) -> Self {
        self.batch_size = size;
        self
    }

    /// Sets the least time between the starts of two batches of a queue; none by default. What arrives meanwhile is one batch, so a
    /// transaction processes more events. After a longer pause an event is processed at once.
    ///
    /// For subscriptions whose effects may be that late: under load they leave the processors to others.
    #[must_use]
    pub const fn min_interval(mut self, interval: Duration) -> Self {
        self.min_interval = interval;
        self
    }

    /// Sets the timeout of a handler call: forty seconds by default and at most.
    ///
    /// If a batch exceeds it, its events are handled one by one. A single event that exceeds it fails, as with [`Failure::retry`]. A
    /// handler that blocks its thread cannot be interrupted. [Session timeouts](crate::with_session_timeouts) limit statements to
    /// thirty seconds, and pauses between statements to five.
    ///
    /// [`Failure::retry`]: crate::Failure::retry
    #[must_use]
    pub fn handler_timeout(mut self, limit: Duration) -> Self {
        self.handler_timeout = limit.min(MAX_HANDLER_TIMEOUT);
        self
    }

    /// Registers the handler of an event type.
    ///
    /// # Panics
    ///
    /// If the event belongs to another aggregate, is ignored, or already has a handler: it would never be called.
    #[must_use]
    pub fn on<H: Handler>(mut self, handler: H) -> Self {
        let kind = self.new_type::<H::Event>();
        self.handlers.insert(kind, Arc::new(TypedHandler(handler)));
        self
    }

    /// Declares that the events of a type do not concern this subscription: they only move the cursor.
    ///
    /// # Panics
    ///
    /// If the event belongs to another aggregate, has a handler, or is ignored already.
    #[must_use]
    pub fn ignores<E: Event>(mut self) -> Self {
        let kind = self.new_type::<E>();
        self.ignored.insert(kind);
        self
    }

    /// The name of an event type of the aggregate that is neither handled nor ignored yet.
    fn new_type<E: Event>(&self) -> &'static str {
        let (kind, aggregate) = (E::TYPE, E::AGGREGATE);
        assert_eq!(aggregate, self.aggregate, "{kind} is not of the subscribed aggregate");
        assert!(!self.handlers.contains_key(kind), "{kind} already has a handler");
        assert!(!self.ignored.contains(kind), "{kind} is ignored already");
        kind
    }

    /// Registers a function that emits events in the transaction that records a dead letter.
    #[must_use]
    pub fn on_dead_letter(
        mut self,
        emit: impl Fn(&mut Transaction, &Envelope, &str) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        self.on_dead_letter = Some(Arc::new(emit));
        self
    }

    /// Emits the events that announce a dead letter.
    pub(super) fn emit_dead_letter_events(
        &self,
        tx: &mut Transaction,
        envelope: &Envelope,
        reason: &str,
    ) -> Result<(), Error> {
        self.on_dead_letter.as_ref().map_or(Ok(()), |emit| emit(tx, envelope, reason))
    }

    pub const fn aggregate(&self) -> &'static str {
        self.aggregate
    }

    /// The services to whose exchanges the queues are bound.
    pub fn publishers(&self) -> &[&'static str] {
        &self.publishers
    }

    /// The event types that have a handler, sorted.
    pub fn handled(&self) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self.handlers.keys().copied().collect();
        kinds.sort_unstable();
        kinds
    }

    /// The event types that are ignored, sorted.
    pub fn ignored(&self) -> Vec<&'static str> {
        self.ignored.iter().copied().collect()
    }

    /// What happens to the events of a type.
    pub(crate) fn reception(&self, kind: &str) -> Reception {
        if self.handlers.contains_key(kind) {
            Reception::Handled
        } else if self.ignored.contains(kind) {
            Reception::Ignored
        } else {
            Reception::Unknown
        }
    }

    /// Logs an event type that is neither handled nor ignored, once.
    pub(super) fn log_unknown(&self, consumer: &str, kind: &str) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.len() < LOGGED_TYPES && logged.insert(kind.to_owned()) {
            tracing::error!(consumer, kind, "parking events of an unknown type");
        }
    }

    pub(crate) const fn ordering(&self) -> Ordering {
        self.ordering
    }

    pub(crate) const fn batch_size(&self) -> BatchSize {
        self.batch_size
    }

    pub(crate) const fn batch_interval(&self) -> Duration {
        self.min_interval
    }

    pub(crate) const fn timeout(&self) -> Duration {
        self.handler_timeout
    }

    pub(crate) fn handler(&self, kind: &str) -> Option<&Arc<dyn DynHandler>> {
        self.handlers.get(kind)
    }

    /// The name of the consumer: the scope of its cursors, parked events and dead letters.
    pub fn consumer(&self, service: &str) -> String {
        format!("{service}.{}", self.aggregate)
    }

    /// The queue of a slot group.
    pub(crate) fn queue(&self, service: &str, group: u8) -> String {
        consumer_queue(service, self.aggregate, group)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("aggregate", &self.aggregate)
            .field("publishers", &self.publishers)
            .field("handled", &self.handled())
            .field("ignored", &self.ignored)
            .finish_non_exhaustive()
    }
}

/// A service's subscription to an aggregate of [`FullState`]: for projections that need only the newest state of each key.
///
/// It is a separate type because its reordering must never be applied to events that build on one another. Its guarantees:
///
/// - The effects on a key only become newer. An event is stale if a newer one of its key was applied: it is counted, acknowledged and
///   not handled. So a duplicate has no effect, however late it arrives.
/// - Eventually the newest event of each key that can be handled is applied, provided it was delivered. Older ones may be skipped: of
///   several events of a key in a batch, only the newest is handled.
/// - A batch contains at most one event per key.
/// - A gap in the numbers delays nothing and raises no alarm. A failed event waits for its retry alone. If a newer event of its key is
///   applied meanwhile, the failed one is stale; until then, an older one may be applied instead.
/// - A rejected event becomes a dead letter and blocks nothing. After a redrive it is applied unless a newer event was.
///
/// A sequenced subscription has no dispatch order:
///
/// ```compile_fail,E0599
/// use messaging::{Dispatch, OnReject, Subscription};
/// Subscription::to("product", ["product-catalog"], OnReject::BlockKey).dispatch(Dispatch::Fifo);
/// ```
///
/// Events without full state are not accepted (a placed order is not the state of an order):
///
/// ```compile_fail,E0277
/// use messaging::{Batch, Failure, Handler, Subscription, Transaction};
///
/// #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// struct OrderPlacedV1 {
///     order_id: String,
/// }
///
/// envelope::event!(OrderPlacedV1, "order.placed.v1", "order", event => event.order_id.as_str());
///
/// struct Count;
///
/// impl Handler for Count {
///     type Event = OrderPlacedV1;
///
///     async fn handle(&self, _: &mut Transaction, _: &mut Batch<OrderPlacedV1>) -> Result<(), Failure> {
///         Ok(())
///     }
/// }
///
/// Subscription::to_state("order", ["order"]).on(Count);
/// ```
///
/// An event of an ignored type leaves its key unchanged. One of an unknown type waits, as a failed one does, until a program runs that
/// knows the type. A newer event of its key may be applied meanwhile, and makes it stale. A sequenced subscription can become a state subscription if it has no parked
/// events or dead letters. The reverse is impossible: the skipped numbers would be gaps.
#[derive(Debug, Clone)]
pub struct StateSubscription(Subscription);

impl StateSubscription {
    /// Sets the order in which received events are processed.
    #[must_use]
    pub const fn dispatch(mut self, dispatch: Dispatch) -> Self {
        self.0.ordering = Ordering::LatestWins(dispatch);
        self
    }

    /// Registers the handler of an event type.
    #[must_use]
    pub fn on<H: Handler<Event: FullState>>(self, handler: H) -> Self {
        Self(self.0.on(handler))
    }

    /// See [`Subscription::ignores`].
    #[must_use]
    pub fn ignores<E: Event>(self) -> Self {
        Self(self.0.ignores::<E>())
    }

    /// See [`Subscription::on_dead_letter`].
    #[must_use]
    pub fn on_dead_letter(
        self,
        emit: impl Fn(&mut Transaction, &Envelope, &str) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Self(self.0.on_dead_letter(emit))
    }

    /// See [`Subscription::batch`]. An urgent event waits at least for the current batch, so small batches suit priority classes.
    #[must_use]
    pub const fn batch(mut self, size: BatchSize) -> Self {
        self.0.batch_size = size;
        self
    }

    /// See [`Subscription::min_interval`].
    #[must_use]
    pub const fn min_interval(mut self, interval: Duration) -> Self {
        self.0.min_interval = interval;
        self
    }

    /// See [`Subscription::handler_timeout`].
    #[must_use]
    pub fn handler_timeout(self, limit: Duration) -> Self {
        Self(self.0.handler_timeout(limit))
    }
}

impl From<StateSubscription> for Subscription {
    fn from(StateSubscription(subscription): StateSubscription) -> Self {
        subscription
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::borrow::Cow;

    use envelope::{Event, FullState};

    use super::{OnReject, Subscription};
    use crate::{
        consume::handler::{Batch, Handler},
        failure::Failure,
        publish::transaction::Transaction,
    };

    /// An event without data.
    #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    pub(crate) struct Lit {}

    impl Event for Lit {
        const TYPE: &'static str = "lit";
        const AGGREGATE: &'static str = "order";

        fn key(&self) -> Cow<'_, str> {
            "k".into()
        }
    }

    impl FullState for Lit {}

    /// A handler without effects.
    pub(crate) struct IgnoreLit;

    impl Handler for IgnoreLit {
        type Event = Lit;

        async fn handle(&self, _: &mut Transaction, _: &mut Batch<Lit>) -> Result<(), Failure> {
            Ok(())
        }
    }

    #[test]
    #[should_panic(expected = "lit already has a handler")]
    fn an_event_type_has_one_handler() {
        let subscription = Subscription::to("order", ["order"], OnReject::Continue);
        drop(subscription.on(IgnoreLit).on(IgnoreLit));
    }

    #[test]
    #[should_panic(expected = "lit already has a handler")]
    fn a_handled_event_type_is_not_ignored() {
        let subscription = Subscription::to("order", ["order"], OnReject::Continue);
        drop(subscription.on(IgnoreLit).ignores::<Lit>());
    }

    #[test]
    #[should_panic(expected = "lit is ignored already")]
    fn an_ignored_event_type_has_no_handler() {
        let subscription = Subscription::to("order", ["order"], OnReject::Continue);
        drop(subscription.ignores::<Lit>().on(IgnoreLit));
    }

    #[test]
    #[should_panic(expected = "lit is not of the subscribed aggregate")]
    fn a_handler_of_another_aggregate_is_rejected() {
        drop(Subscription::to("stock", ["inventory"], OnReject::Continue).on(IgnoreLit));
    }
}
