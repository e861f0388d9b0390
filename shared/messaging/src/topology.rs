//! The topology of a service: the source of its exchanges, queues, bindings, and its part of the event graph.

use std::{fmt, sync::Arc};

use envelope::{Event, EventKind};

use crate::{
    consume::{handler::DynHandler, subscription::Subscription},
    declarations::{BindingDeclaration, Declarations},
    naming::{dead_queue, request_queue, routing_key, slots_of, unrouted},
    slot_groups::SlotGroups,
};

/// What a service publishes and subscribes to.
#[derive(Clone)]
pub struct Topology {
    service: &'static str,
    published: Vec<EventKind>,
    subscriptions: Vec<Subscription>,
    streams: Vec<&'static str>,
    slot_groups: SlotGroups,
}

impl Topology {
    /// Creates an empty topology. `service` is the directory name of the service, and the name of its exchange.
    pub fn new(service: &'static str) -> Self {
        Self {
            service,
            published: Vec::new(),
            subscriptions: Vec::new(),
            streams: Vec::new(),
            slot_groups: SlotGroups::default(),
        }
    }

    /// Lists an event type that the service publishes, for documentation and checks of the event graph. `emit` accepts any event, and
    /// [`declare`](fn@crate::declare) always declares the exchange.
    #[must_use]
    pub fn publishes<E: Event>(mut self) -> Self {
        self.published.push(EventKind::of::<E>());
        self
    }

    /// Subscribes to an aggregate of one or more publishers.
    ///
    /// # Panics
    ///
    /// If there is a subscription to the aggregate already: both would share queues and cursors.
    #[must_use]
    pub fn subscribes(mut self, subscription: impl Into<Subscription>) -> Self {
        let subscription = subscription.into();
        let aggregate = subscription.aggregate();
        let is_duplicate = self.subscriptions.iter().any(|other| other.aggregate() == aggregate);
        assert!(!is_duplicate, "{} subscribes to {aggregate} twice", self.service);
        self.subscriptions.push(subscription);
        self
    }

    /// Lists a stream that the service writes or reads.
    #[must_use]
    pub fn stream(mut self, name: &'static str) -> Self {
        self.streams.push(name);
        self
    }

    /// Sets how many slot groups the aggregates have, those that the service publishes and those that it subscribes to.
    #[must_use]
    pub fn slot_groups(mut self, groups: SlotGroups) -> Self {
        self.slot_groups = groups;
        self
    }

    /// The number of slot groups of each aggregate.
    pub(crate) const fn groups(&self) -> &SlotGroups {
        &self.slot_groups
    }

    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// The event types that the service publishes.
    pub fn published(&self) -> &[EventKind] {
        &self.published
    }

    pub fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    /// The handler of `consumer` for events of the type `kind`.
    pub(crate) fn handler(&self, consumer: &str, kind: &str) -> Option<&Arc<dyn DynHandler>> {
        let mut subscriptions = self.subscriptions.iter();
        let of_consumer = |other: &&Subscription| other.consumer(self.service) == consumer;
        subscriptions.find(of_consumer)?.handler(kind)
    }

    /// All queues of the service, those for events first.
    pub fn queues(&self) -> Vec<String> {
        let groups = self.subscriptions.iter().flat_map(|subscription| {
            let groups = self.slot_groups.of(subscription.aggregate());
            (0..groups).map(move |group| subscription.queue(self.service, group))
        });
        let own = [dead_queue(self.service), request_queue(self.service), unrouted(self.service)];
        groups.chain(own).collect()
    }

    /// Everything to declare on the broker.
    pub fn declarations(&self) -> Declarations {
        let mut all = Declarations::of(self.service);
        for subscription in &self.subscriptions {
            for publisher in subscription.publishers() {
                all.add_publisher(publisher);
            }
            let groups = self.slot_groups.of(subscription.aggregate());
            for group in 0..groups {
                let queue = subscription.queue(self.service, group);
                all.add_consumer_queue(queue.clone());
                for exchange in subscription.publishers() {
                    // What the publisher sends to this queue alone.
                    all.bind(&queue, exchange, &queue);
                    all.bindings.extend(slots_of(group, groups).map(|slot| BindingDeclaration {
                        queue: queue.clone(),
                        exchange: (*exchange).to_owned(),
                        routing_key: routing_key(subscription.aggregate(), slot.number()),
                    }));
                }
            }
        }
        for stream in &self.streams {
            all.add_stream(stream);
        }
        all
    }
}

impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topology")
            .field("service", &self.service)
            .field("published", &self.published)
            .field("subscriptions", &self.subscriptions)
            .field("streams", &self.streams)
            .field("slot_groups", &self.slot_groups)
            .finish()
    }
}
