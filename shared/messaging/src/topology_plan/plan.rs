//! The plan: a comparison without I/O.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;
use serde_json::Value;

use super::broker_state::{BrokerState, FoundBinding, FoundExchange, FoundQueue, text};
use crate::{
    declarations::{
        Arguments, BindingDeclaration, DEAD_LETTER_ROUTING_KEY, Declarations, ExchangeDeclaration,
        QUEUE_TYPE, QueueDeclaration,
    },
    difference::{Difference, ObjectKind},
    naming::{consumer_of_queue, dead_queue, owner_of_queue, unrouted},
};

/// How a broker differs from the declared topology.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What [`apply`](super::apply) creates.
    pub missing: Missing,
    /// What exists with other properties. Nothing changes it but its deletion.
    pub different: Vec<Difference>,
    /// What no service uses, and [`prune`](super::prune) removes.
    pub unused: Unused,
    /// Queues with events that no binding matched.
    pub unrouted: Vec<UnroutedQueue>,
}

/// Declared and not on the broker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Missing {
    pub exchanges: Vec<ExchangeDeclaration>,
    pub queues: Vec<QueueDeclaration>,
    pub bindings: Vec<BindingDeclaration>,
}

/// On the broker, of a service, and not declared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Unused {
    pub bindings: Vec<BindingDeclaration>,
    pub queues: Vec<UnusedQueue>,
    pub exchanges: Vec<String>,
}

/// A queue that no service declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnusedQueue {
    pub name: String,
    pub messages: u64,
    /// With consumers it is still in use: by an instance of an earlier version, or because it is a former slot group.
    pub consumers: u64,
    /// Whether its subscription exists, with fewer slot groups. The service consumes it until it is deleted.
    pub is_former: bool,
}

/// A queue with events that no binding matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnroutedQueue {
    /// The service that published them.
    pub service: String,
    pub messages: u64,
}

/// The declarations of all services, by name.
struct Wanted<'a> {
    exchanges: BTreeMap<&'a str, &'a ExchangeDeclaration>,
    queues: BTreeMap<&'a str, &'a QueueDeclaration>,
    bindings: BTreeSet<&'a BindingDeclaration>,
}

impl<'a> Wanted<'a> {
    fn of(services: &'a [Declarations]) -> Self {
        let exchanges = services.iter().flat_map(|service| &service.exchanges);
        let queues = services.iter().flat_map(|service| &service.queues);
        Self {
            exchanges: exchanges.map(|exchange| (exchange.name.as_str(), exchange)).collect(),
            queues: queues.map(|queue| (queue.name.as_str(), queue)).collect(),
            bindings: services.iter().flat_map(|service| &service.bindings).collect(),
        }
    }
}

impl Wanted<'_> {
    /// Whether the consumer of a queue is declared, with this queue or others.
    fn consumes(&self, queue: &str) -> bool {
        let consumer = consumer_of_queue(queue);
        consumer.is_some()
            && self.queues.keys().any(|declared| consumer_of_queue(declared) == consumer)
    }
}

/// The services whose names are ours. All other objects of the broker are foreign and never touched.
struct Owners<'a>(BTreeSet<&'a str>);

impl Owners<'_> {
    /// Whether a name is that of a service's exchange, of its alternate exchange, or of its exchange for requests.
    fn own_exchange(&self, name: &str) -> bool {
        let service =
            [".unrouted", ".requests"].iter().find_map(|suffix| name.strip_suffix(suffix));
        self.0.contains(service.unwrap_or(name))
    }

    fn own_queue(&self, name: &str) -> bool {
        owner_of_queue(name).is_some_and(|service| self.0.contains(service))
    }

    /// Whether a service of ours has declared a queue: it has such a name, and the arguments that only a declaration gives it.
    fn has_declared(&self, queue: &FoundQueue) -> bool {
        let Some(service) = owner_of_queue(&queue.name) else { return false };
        let dead_letters = queue.arguments.get(DEAD_LETTER_ROUTING_KEY).map(text);
        // Only queues for events are dead-lettered.
        let expected = (queue.name.split('.').count() == 3).then(|| dead_queue(service));
        self.0.contains(service)
            && queue.kind == "quorum"
            && queue.durable
            && dead_letters == expected
    }
}

impl Plan {
    /// Compares what `services` declare with what exists. `removed` names services that exist no longer: all of their
    /// objects that the others do not declare are unused.
    pub fn new(services: &[Declarations], removed: &[String], found: &BrokerState) -> Self {
        let wanted = Wanted::of(services);
        let names = services.iter().map(|service| &service.service).chain(removed);
        let owners = Owners(names.map(String::as_str).collect());
        Self {
            missing: missing(&wanted, found),
            different: different(&wanted, found),
            unused: unused(&wanted, &owners, found),
            unrouted: unrouted_queues(&owners, found),
        }
    }

    /// Whether there is nothing to do.
    pub fn is_in_line(&self) -> bool {
        *self == Self::default()
    }

    /// The declared binding that routes the same events to the same consumer as an unused one, if the broker does not have it.
    pub(super) fn missing_successor(
        &self,
        unused: &BindingDeclaration,
    ) -> Option<&BindingDeclaration> {
        self.missing.bindings.iter().find(|missing| {
            missing.exchange == unused.exchange
                && missing.routing_key == unused.routing_key
                && consumer_of_queue(&missing.queue) == consumer_of_queue(&unused.queue)
        })
    }

    /// The given names that are neither an unused queue nor an unused exchange.
    pub fn not_unused<'a>(&self, names: &'a [String]) -> Vec<&'a str> {
        let is_unused = |name: &&String| {
            self.unused.exchanges.contains(name)
                || self.unused.queues.iter().any(|queue| queue.name == **name)
        };
        names.iter().filter(|name| !is_unused(name)).map(String::as_str).collect()
    }
}

fn missing(wanted: &Wanted<'_>, found: &BrokerState) -> Missing {
    let exchanges: BTreeSet<&str> =
        found.exchanges.iter().map(|exchange| exchange.name.as_str()).collect();
    let queues: BTreeSet<&str> = found.queues.iter().map(|queue| queue.name.as_str()).collect();
    let bindings: BTreeSet<BindingDeclaration> =
        found.bindings.iter().filter_map(binding_of_queue).collect();
    let is_missing = |names: &BTreeSet<&str>, name: &str| -> bool { !names.contains(name) };
    Missing {
        exchanges: wanted
            .exchanges
            .values()
            .filter(|exchange| is_missing(&exchanges, &exchange.name))
            .map(|exchange| (*exchange).clone())
            .collect(),
        queues: wanted
            .queues
            .values()
            .filter(|queue| is_missing(&queues, &queue.name))
            .map(|queue| (*queue).clone())
            .collect(),
        bindings: wanted
            .bindings
            .iter()
            .filter(|binding| !bindings.contains(**binding))
            .map(|binding| (*binding).clone())
            .collect(),
    }
}

fn different(wanted: &Wanted<'_>, found: &BrokerState) -> Vec<Difference> {
    let exchanges = found.exchanges.iter().flat_map(|exchange| {
        let declared = wanted.exchanges.get(exchange.name.as_str());
        declared.map(|declared| differences_of_exchange(declared, exchange)).unwrap_or_default()
    });
    let queues = found.queues.iter().flat_map(|queue| {
        let declared = wanted.queues.get(queue.name.as_str());
        declared.map(|declared| differences_of_queue(declared, queue)).unwrap_or_default()
    });
    let mut all: Vec<Difference> = exchanges.chain(queues).collect();
    all.sort_unstable();
    all
}

fn differences_of_exchange(
    declared: &ExchangeDeclaration,
    found: &FoundExchange,
) -> Vec<Difference> {
    let properties = [
        ("type", declared.kind.name().to_owned(), found.kind.clone()),
        ("durable", true.to_string(), found.durable.to_string()),
        ("auto_delete", false.to_string(), found.auto_delete.to_string()),
        ("internal", false.to_string(), found.internal.to_string()),
    ];
    differences(ObjectKind::Exchange, &declared.name, properties.into())
        .chain(differing_arguments(
            ObjectKind::Exchange,
            &declared.name,
            &declared.arguments,
            &found.arguments,
        ))
        .collect()
}

fn differences_of_queue(declared: &QueueDeclaration, found: &FoundQueue) -> Vec<Difference> {
    let kind = declared.arguments.get(QUEUE_TYPE).map(ToString::to_string).unwrap_or_default();
    let properties = [
        (QUEUE_TYPE, kind, found.kind.clone()),
        ("durable", true.to_string(), found.durable.to_string()),
        ("auto_delete", false.to_string(), found.auto_delete.to_string()),
        ("exclusive", false.to_string(), found.exclusive.to_string()),
    ];
    let is_as_good = |difference: &Difference| {
        let former = declared.former.get(&difference.property).map(ToString::to_string);
        match &difference.found {
            None => declared.optional.contains(&difference.property),
            Some(found) => former.as_ref() == Some(found),
        }
    };
    differences(ObjectKind::Queue, &declared.name, properties.into())
        .chain(differing_arguments(
            ObjectKind::Queue,
            &declared.name,
            &declared.arguments,
            &found.arguments,
        ))
        .filter(|difference| !is_as_good(difference))
        .collect()
}

fn differences(
    kind: ObjectKind,
    name: &str,
    properties: Vec<(&'static str, String, String)>,
) -> impl Iterator<Item = Difference> {
    properties.into_iter().filter(|(_, wanted, found)| wanted != found).map(
        move |(property, wanted, found)| {
            Difference::new(kind, name, property, Some(wanted), Some(found))
        },
    )
}

/// All arguments but the type, which a broker may leave out.
fn differing_arguments<'a>(
    kind: ObjectKind,
    name: &'a str,
    declared: &'a Arguments,
    found: &'a BTreeMap<String, Value>,
) -> impl Iterator<Item = Difference> + use<'a> {
    let names: BTreeSet<&String> = declared.keys().chain(found.keys()).collect();
    names.into_iter().filter(|argument| *argument != QUEUE_TYPE).filter_map(move |argument| {
        let wanted = declared.get(argument).map(ToString::to_string);
        let found = found.get(argument).map(text);
        (wanted != found).then(|| Difference::new(kind, name, argument, wanted, found))
    })
}

fn unused(wanted: &Wanted<'_>, owners: &Owners<'_>, found: &BrokerState) -> Unused {
    let mut queues: Vec<UnusedQueue> = found
        .queues
        .iter()
        .filter(|queue| !wanted.queues.contains_key(queue.name.as_str()))
        .filter(|queue| owners.has_declared(queue))
        .map(|queue| UnusedQueue {
            name: queue.name.clone(),
            messages: queue.messages,
            consumers: queue.consumers,
            is_former: wanted.consumes(&queue.name),
        })
        .collect();
    queues.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    // A queue with our name that no service has declared is foreign, and so are its bindings.
    let is_foreign = |name: &str| {
        !wanted.queues.contains_key(name) && !queues.iter().any(|queue| queue.name == name)
    };
    let mut bindings: Vec<BindingDeclaration> = found
        .bindings
        .iter()
        .filter_map(binding_of_queue)
        .filter(|binding| !wanted.bindings.contains(binding))
        .filter(|binding| owners.own_exchange(&binding.exchange))
        .filter(|binding| owners.own_queue(&binding.queue) && !is_foreign(&binding.queue))
        .collect();
    bindings.sort_unstable();
    let mut exchanges: Vec<String> = found
        .exchanges
        .iter()
        .map(|exchange| exchange.name.clone())
        .filter(|name| owners.own_exchange(name) && !wanted.exchanges.contains_key(name.as_str()))
        .collect();
    exchanges.sort_unstable();
    Unused { bindings, queues, exchanges }
}

fn unrouted_queues(owners: &Owners<'_>, found: &BrokerState) -> Vec<UnroutedQueue> {
    let filled = owners.0.iter().filter_map(|service| {
        let name = unrouted(service);
        let queue = found.queues.iter().find(|queue| queue.name == name && queue.messages > 0)?;
        Some(UnroutedQueue { service: (*service).to_owned(), messages: queue.messages })
    });
    filled.collect()
}

/// A binding of an exchange with a name to a queue, without arguments.
fn binding_of_queue(binding: &FoundBinding) -> Option<BindingDeclaration> {
    let is_plain = !binding.source.is_empty()
        && binding.destination_type == "queue"
        && binding.arguments.is_empty();
    is_plain.then(|| BindingDeclaration {
        exchange: binding.source.clone(),
        queue: binding.destination.clone(),
        routing_key: binding.routing_key.clone(),
    })
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_in_line() {
            return writeln!(f, "The broker is in line with the declared topology.");
        }
        let Self { missing, different, unused, unrouted } = self;
        let mut section = Section { title: "missing", is_open: false, f };
        for exchange in &missing.exchanges {
            section.line(format_args!("exchange {} ({})", exchange.name, exchange.kind.name()))?;
        }
        for queue in &missing.queues {
            let kind = queue.arguments.get(QUEUE_TYPE).map(ToString::to_string);
            section.line(format_args!("queue {} ({})", queue.name, kind.unwrap_or_default()))?;
        }
        for binding in &missing.bindings {
            section.line(format_args!("binding {binding}"))?;
        }
        section = section.next("different");
        for difference in different {
            section.line(format_args!("{difference}"))?;
        }
        section = section.next("unused");
        for binding in &unused.bindings {
            section.line(format_args!("binding {binding}"))?;
        }
        for UnusedQueue { name, messages, consumers, is_former } in &unused.queues {
            let former = if *is_former { ", a former slot group" } else { "" };
            section.line(format_args!(
                "queue {name} ({messages} messages, {consumers} consumers{former})"
            ))?;
        }
        for exchange in &unused.exchanges {
            section.line(format_args!("exchange {exchange}"))?;
        }
        section = section.next("not routed");
        for UnroutedQueue { service, messages } in unrouted {
            section
                .line(format_args!("queue {} ({messages} messages)", self::unrouted(service)))?;
        }
        Ok(())
    }
}

/// Lines under a title, which is printed with the first of them.
struct Section<'a, 'f> {
    title: &'static str,
    is_open: bool,
    f: &'a mut fmt::Formatter<'f>,
}

impl Section<'_, '_> {
    fn line(&mut self, text: fmt::Arguments<'_>) -> fmt::Result {
        if !self.is_open {
            self.is_open = true;
            writeln!(self.f, "{}:", self.title)?;
        }
        writeln!(self.f, "  {text}")
    }

    fn next(self, title: &'static str) -> Self {
        Self { title, is_open: false, ..self }
    }
}
