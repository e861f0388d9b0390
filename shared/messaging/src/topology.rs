//! What a service says and hears: the one place from which exchanges, queues, bindings and the event graph are derived.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use envelope::{Envelope, Event, EventKind, FullState, SLOTS, Slot};

use crate::{
    BatchSize, Error, Transaction,
    consumer::{
        dispatch::Dispatch,
        handler::{DynHandler, Handler, Typed},
    },
};

/// What is to be said when an event becomes a dead letter: given its envelope and the reason.
type OnDead = dyn Fn(&mut Transaction, &Envelope, &str) -> Result<(), Error> + Send + Sync;

/// How many quorum queues the sixteen slots of a subscription are shared out to. Replicas of a service divide these
/// among themselves; one process consumes them side by side.
pub const SLOT_GROUPS: u8 = 2;

/// How long handlers may take at most for what is handed to them at once: longer than the database lets a statement take, so that what is
/// too much for one statement fails with what the database says of it.
pub(crate) const HANDLER_TIMEOUT: Duration = Duration::from_secs(40);

/// All that one service says and hears.
#[derive(Clone)]
pub struct Topology {
    service: &'static str,
    says: Vec<EventKind>,
    subscriptions: Vec<Subscription>,
}

impl Topology {
    /// The topology of a service that neither says nor hears anything yet. `service` is its directory name; its exchange
    /// has the same name.
    pub fn new(service: &'static str) -> Self {
        Self { service, says: Vec::new(), subscriptions: Vec::new() }
    }

    /// The service says events of type `E`. It is written down for who draws or checks what services say to one another; `emit` takes any
    /// event, and [`declare`](crate::declare) makes the exchange in any case.
    #[must_use]
    pub fn publishes<E: Event>(mut self) -> Self {
        self.says.push(EventKind::of::<E>());
        self
    }

    /// The service hears an aggregate, of all its publishers by one subscription.
    ///
    /// # Panics
    ///
    /// If it hears the aggregate already: both would have the same queues and the same cursors.
    #[must_use]
    pub fn subscribes(mut self, subscription: impl Into<Subscription>) -> Self {
        let subscription = subscription.into();
        let aggregate = subscription.aggregate();
        let is_heard = self.subscriptions.iter().any(|heard| heard.aggregate() == aggregate);
        assert!(!is_heard, "{} hears {aggregate} twice", self.service);
        self.subscriptions.push(subscription);
        self
    }

    /// The service's name.
    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// The kinds of events it says.
    pub fn published(&self) -> &[EventKind] {
        &self.says
    }

    // temporary aliases
    #[doc(hidden)]
    pub fn of(service: &'static str) -> Self {
        Self::new(service)
    }

    #[doc(hidden)]
    #[must_use]
    pub fn says<E: Event>(self) -> Self {
        self.publishes::<E>()
    }

    #[doc(hidden)]
    #[must_use]
    pub fn hears(self, subscription: impl Into<Subscription>) -> Self {
        self.subscribes(subscription)
    }

    #[doc(hidden)]
    pub fn said(&self) -> &[EventKind] {
        self.published()
    }

    /// What it hears.
    pub fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    /// Who handles events of the type `kind` for `consumer`.
    pub(crate) fn handler(&self, consumer: &str, kind: &str) -> Option<&Arc<dyn DynHandler>> {
        let mut subscriptions = self.subscriptions.iter();
        subscriptions.find(|heard| heard.consumer(self.service) == consumer)?.handler(kind)
    }

    /// All its queues, those for events first.
    pub fn queues(&self) -> Vec<String> {
        let groups = self.subscriptions.iter().flat_map(|subscription| {
            (0..SLOT_GROUPS).map(move |group| subscription.queue(self.service, group))
        });
        groups.chain([dead_queue(self.service), unrouted(self.service)]).collect()
    }
}

impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topology")
            .field("service", &self.service)
            .field("says", &self.says)
            .field("hears", &self.subscriptions)
            .finish()
    }
}

/// What becomes of the later events of a key when one of them is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnReject {
    /// They wait until an operator has resolved the dead letter: for processes, where no step may be skipped.
    BlockKey,
    /// They are processed: for projections of full state, which the next event corrects.
    Continue,
}

// temporary alias: the old name of the variant
#[doc(hidden)]
#[expect(non_upper_case_globals, reason = "the old name of the variant")]
impl OnReject {
    pub const GoOn: Self = Self::Continue;
}

/// What keeps effects from being doubled and from going backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Every number of a key in its turn; a gap is waited for.
    Cursors(OnReject),
    /// The newest number of a key wins, in whatever order they are taken.
    Newest(Dispatch),
}

/// One service's ear for one aggregate: a cursor namespace, and one quorum queue per slot group. It receives *all* events
/// of the aggregate; those without a handler move the cursor and nothing else, so that a gap in the numbers means loss.
#[derive(Clone)]
pub struct Subscription {
    aggregate: &'static str,
    publishers: Vec<&'static str>,
    guard: Guard,
    batch: BatchSize,
    handler_timeout: Duration,
    handlers: HashMap<&'static str, Arc<dyn DynHandler>>,
    on_dead: Option<Arc<OnDead>>,
}

impl Subscription {
    /// Hears `aggregate` as said by `publishers`, services by their directory names.
    pub fn to(
        aggregate: &'static str,
        publishers: impl IntoIterator<Item = &'static str>,
        on_reject: OnReject,
    ) -> Self {
        Self::guarded(aggregate, publishers, Guard::Cursors(on_reject))
    }

    /// Hears `aggregate`, of which every event that is handled is [`FullState`]: see [`StateSubscription`].
    pub fn to_state(
        aggregate: &'static str,
        publishers: impl IntoIterator<Item = &'static str>,
    ) -> StateSubscription {
        let guard = Guard::Newest(Dispatch::Fifo);
        StateSubscription(Self::guarded(aggregate, publishers, guard))
    }

    fn guarded(
        aggregate: &'static str,
        publishers: impl IntoIterator<Item = &'static str>,
        guard: Guard,
    ) -> Self {
        Self {
            aggregate,
            publishers: publishers.into_iter().collect(),
            guard,
            batch: BatchSize::default(),
            handler_timeout: HANDLER_TIMEOUT,
            handlers: HashMap::new(),
            on_dead: None,
        }
    }

    /// How many events one transaction takes on.
    #[must_use]
    pub const fn batch(mut self, size: BatchSize) -> Self {
        self.batch = size;
        self
    }

    /// How long a handler may take for the events that are handed to it at once: forty seconds if nothing is said, and at most.
    ///
    /// Events that take longer together are tried one by one, and one that takes longer alone fails, as with [`Failure::retry`]. A
    /// handler that never waits cannot be interrupted. On [`with_session_timeouts`](crate::with_session_timeouts) connections a statement may take thirty of them, and
    /// five may pass between two statements.
    ///
    /// [`Failure::retry`]: crate::Failure::retry
    #[must_use]
    pub fn handler_timeout(mut self, limit: Duration) -> Self {
        self.handler_timeout = limit.min(HANDLER_TIMEOUT);
        self
    }

    // temporary alias
    #[doc(hidden)]
    #[must_use]
    pub fn handled_within(self, limit: Duration) -> Self {
        self.handler_timeout(limit)
    }

    /// Lets `handler` handle the events of its type.
    ///
    /// # Panics
    ///
    /// If the events are of another aggregate, or have a handler already: it would never be called.
    #[must_use]
    pub fn on<H: Handler>(mut self, handler: H) -> Self {
        let (kind, aggregate) = (H::Event::TYPE, H::Event::AGGREGATE);
        assert_eq!(aggregate, self.aggregate, "{kind} is not of the aggregate that is heard");
        let before = self.handlers.insert(kind, Arc::new(Typed(handler)));
        assert!(before.is_none(), "{kind} has a handler already");
        self
    }

    /// Lets `say` emit events in the transaction that writes a dead letter.
    #[must_use]
    pub fn on_dead_letter(
        mut self,
        say: impl Fn(&mut Transaction, &Envelope, &str) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        self.on_dead = Some(Arc::new(say));
        self
    }

    pub(crate) fn say_dead(
        &self,
        tx: &mut Transaction,
        envelope: &Envelope,
        reason: &str,
    ) -> Result<(), Error> {
        self.on_dead.as_ref().map_or(Ok(()), |say| say(tx, envelope, reason))
    }

    /// What it is about.
    pub const fn aggregate(&self) -> &'static str {
        self.aggregate
    }

    /// Whose exchanges it is bound to.
    pub fn publishers(&self) -> &[&'static str] {
        &self.publishers
    }

    // temporary alias
    #[doc(hidden)]
    pub fn speakers(&self) -> &[&'static str] {
        self.publishers()
    }

    /// The event types that have a handler, sorted.
    pub fn handled(&self) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self.handlers.keys().copied().collect();
        kinds.sort_unstable();
        kinds
    }

    pub(crate) const fn guard(&self) -> Guard {
        self.guard
    }

    pub(crate) const fn batch_size(&self) -> BatchSize {
        self.batch
    }

    /// How long handlers may take for what is handed to them at once.
    pub(crate) const fn limit(&self) -> Duration {
        self.handler_timeout
    }

    pub(crate) fn handler(&self, kind: &str) -> Option<&Arc<dyn DynHandler>> {
        self.handlers.get(kind)
    }

    /// The cursor namespace within the service.
    pub fn consumer(&self, service: &str) -> String {
        format!("{service}.{}", self.aggregate)
    }

    /// The queue of a slot group.
    pub(crate) fn queue(&self, service: &str, group: u8) -> String {
        format!("{service}.{}.{group}", self.aggregate)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("aggregate", &self.aggregate)
            .field("publishers", &self.publishers)
            .field("handled", &self.handled())
            .finish_non_exhaustive()
    }
}

/// One service's ear for an aggregate of [`FullState`]: for projections, which want the newest state of each key and can do without
/// those before it. It is a type of its own, for what it may do must never be done to events that build on one another.
///
/// What its handlers are promised:
///
/// - The effects on a key only ever become newer. An event that comes when a newer one of its key has taken effect is stale:
///   it is counted, acknowledged and not handed to anybody. So a duplicate has no effect, however late it comes.
/// - In the end the newest event of each key that could be handled has taken effect, as long as none was lost before it came
///   here. Those before it may have, or not: of several in hand only the newest is handled.
/// - A batch holds at most one event of a key.
/// - A gap in the numbers is not waited for and raises no alarm. An event that failed waits for its retry alone: newer ones of its
///   key go on, and then it is stale. Until then an older one may take effect in its place.
/// - A rejected event becomes a dead letter and holds back nothing. Sent again, it has an effect if nothing newer has had one.
///
/// A subscription with cursors has no dispatch order:
///
/// ```compile_fail,E0599
/// use messaging::{Dispatch, OnReject, Subscription};
/// Subscription::to("product", ["product-catalog"], OnReject::BlockKey).dispatch(Dispatch::Fifo);
/// ```
///
/// And it does not accept events without full state (a placed order is not the state of an order):
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
/// An event without a handler leaves its key untouched. Where nothing of the aggregate is parked or dead, a subscription with
/// cursors can become one of these; the way back is closed, for the numbers that were skipped would be waited for.
#[derive(Debug, Clone)]
pub struct StateSubscription(Subscription);

impl StateSubscription {
    /// Takes what is in hand in this order.
    #[must_use]
    pub const fn dispatch(mut self, dispatch: Dispatch) -> Self {
        self.0.guard = Guard::Newest(dispatch);
        self
    }

    /// Lets `handler` handle the events of its type.
    #[must_use]
    pub fn on<H: Handler<Event: FullState>>(self, handler: H) -> Self {
        Self(self.0.on(handler))
    }

    /// As [`Subscription::on_dead_letter`].
    #[must_use]
    pub fn on_dead_letter(
        self,
        say: impl Fn(&mut Transaction, &Envelope, &str) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Self(self.0.on_dead_letter(say))
    }

    /// As [`Subscription::batch`]. What is urgent waits at least until the batch in hand is done, so a small one suits lanes.
    #[must_use]
    pub const fn batch(mut self, size: BatchSize) -> Self {
        self.0.batch = size;
        self
    }

    /// As [`Subscription::handler_timeout`].
    #[must_use]
    pub fn handler_timeout(self, limit: Duration) -> Self {
        Self(self.0.handler_timeout(limit))
    }

    // temporary alias
    #[doc(hidden)]
    #[must_use]
    pub fn handled_within(self, limit: Duration) -> Self {
        self.handler_timeout(limit)
    }
}

impl From<StateSubscription> for Subscription {
    fn from(StateSubscription(subscription): StateSubscription) -> Self {
        subscription
    }
}

/// The slots of a slot group.
pub(crate) fn slots_of(group: u8) -> impl Iterator<Item = Slot> {
    Slot::all().filter(move |slot| slot.number() % SLOT_GROUPS == group)
}

/// The routing key of an aggregate's slot.
pub(crate) fn routing_key(aggregate: &str, slot: u8) -> String {
    format!("{aggregate}.{}", slot % SLOTS)
}

/// Where the broker puts what a service's processes died over again and again.
pub(crate) fn dead_queue(service: &str) -> String {
    format!("{service}.dead")
}

/// Where events go that no queue is bound for: exchange and queue have this name.
pub(crate) fn unrouted(service: &str) -> String {
    format!("{service}.unrouted")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::borrow::Cow;

    use envelope::{Event, FullState};

    use super::{OnReject, Subscription};
    use crate::{Batch, Failure, Handler, Transaction};

    /// An event that says nothing.
    #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    pub(crate) struct Told {}

    impl Event for Told {
        const TYPE: &'static str = "told";
        const AGGREGATE: &'static str = "order";

        fn key(&self) -> Cow<'_, str> {
            "k".into()
        }
    }

    impl FullState for Told {}

    /// A handler that does nothing.
    pub(crate) struct Hear;

    impl Handler for Hear {
        type Event = Told;

        async fn handle(&self, _: &mut Transaction, _: &mut Batch<Told>) -> Result<(), Failure> {
            Ok(())
        }
    }

    #[test]
    #[should_panic(expected = "told has a handler already")]
    fn one_type_has_one_handler() {
        drop(Subscription::to("order", ["order"], OnReject::Continue).on(Hear).on(Hear));
    }

    #[test]
    #[should_panic(expected = "told is not of the aggregate that is heard")]
    fn a_handler_of_another_aggregate_would_never_be_called() {
        drop(Subscription::to("stock", ["inventory"], OnReject::Continue).on(Hear));
    }
}
