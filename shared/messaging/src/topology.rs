//! What a service says and hears: the one place from which exchanges, queues, bindings and the event graph are derived.

use std::{collections::HashMap, fmt, sync::Arc};

use contracts::{Envelope, Event, EventKind, SLOTS, Slot};

use crate::{
    Error, Transaction,
    consumer::handler::{DynHandler, Handler, Typed},
};

/// What is to be said when an event becomes a dead letter: given its envelope and the reason.
type OnDead = dyn Fn(&mut Transaction, &Envelope, &str) -> Result<(), Error> + Send + Sync;

/// How many quorum queues the sixteen slots of a subscription are shared out to. Replicas of a service divide these
/// among themselves; one process consumes them side by side.
pub const SLOT_GROUPS: u8 = 2;

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
    pub fn of(service: &'static str) -> Self {
        Self { service, says: Vec::new(), subscriptions: Vec::new() }
    }

    /// The service says events of type `E`.
    #[must_use]
    pub fn says<E: Event>(mut self) -> Self {
        self.says.push(EventKind::of::<E>());
        self
    }

    /// The service hears an aggregate.
    #[must_use]
    pub fn hears(mut self, subscription: Subscription) -> Self {
        self.subscriptions.push(subscription);
        self
    }

    /// The service's name.
    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// The kinds of events it says.
    pub fn said(&self) -> &[EventKind] {
        &self.says
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
    /// They wait until somebody has dealt with the dead letter: for processes, where a step must not be left out.
    BlockKey,
    /// They go on: for projections of full state, which the next event puts right.
    GoOn,
}

/// One service's ear for one aggregate: a cursor namespace, and one quorum queue per slot group. It receives *all* events
/// of the aggregate; those without a handler move the cursor and nothing else, so that a gap in the numbers means loss.
#[derive(Clone)]
pub struct Subscription {
    aggregate: &'static str,
    speakers: Vec<&'static str>,
    on_reject: OnReject,
    handlers: HashMap<&'static str, Arc<dyn DynHandler>>,
    on_dead: Option<Arc<OnDead>>,
}

impl Subscription {
    /// Hears `aggregate` as said by `speakers`, services by their directory names.
    pub fn to(
        aggregate: &'static str,
        speakers: impl IntoIterator<Item = &'static str>,
        on_reject: OnReject,
    ) -> Self {
        let speakers = speakers.into_iter().collect();
        Self { aggregate, speakers, on_reject, handlers: HashMap::new(), on_dead: None }
    }

    /// Lets `handler` handle the events of its type.
    #[must_use]
    pub fn on<H: Handler>(mut self, handler: H) -> Self {
        self.handlers.insert(H::Event::TYPE, Arc::new(Typed(handler)));
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
    pub fn speakers(&self) -> &[&'static str] {
        &self.speakers
    }

    /// The event types that have a handler, sorted.
    pub fn handled(&self) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self.handlers.keys().copied().collect();
        kinds.sort_unstable();
        kinds
    }

    pub(crate) const fn on_reject(&self) -> OnReject {
        self.on_reject
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
            .field("speakers", &self.speakers)
            .field("handled", &self.handled())
            .finish_non_exhaustive()
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
