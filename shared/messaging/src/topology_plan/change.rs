//! Changes of a broker: creates what is missing, removes what is unused, and brings unrouted events back.

use std::{collections::BTreeSet, fmt};

use lapin::{
    Channel,
    options::{ExchangeDeleteOptions, QueueDeleteOptions},
    protocol::AMQPSoftError,
    types::FieldTable,
};
use serde::Serialize;

use super::plan::{Plan, UnroutedQueue};
use crate::{
    broker::{self, Channels, REPLY_TIMEOUT, Session, depth, is_soft},
    declarations::{BindingDeclaration, Declarations},
    declare,
    difference::ObjectKind,
    error::{Error, with_timeout},
    unrouted_events::{self, Republished},
};

/// The name of the connections, for the management UI.
const CLIENT: &str = "topology plan";

/// What [`prune`] may remove.
#[derive(Debug, Clone, Default)]
pub struct PruneOptions {
    /// Only these queues and exchanges, with the bindings of the queues; all unused ones if empty. A queue that is named is deleted
    /// with its messages.
    pub names: Vec<String>,
    /// Whether to delete queues with messages.
    pub with_messages: bool,
}

impl PruneOptions {
    fn select(&self, name: &str) -> bool {
        self.names.is_empty() || self.is_named(name)
    }

    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|named| named == name)
    }
}

/// What was done to an object of the broker, or why nothing was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    Created {
        kind: ObjectKind,
        name: String,
    },
    Bound(BindingDeclaration),
    /// The exchange or the queue has another type.
    NotBound(BindingDeclaration),
    Unbound(BindingDeclaration),
    /// The queue that takes over is not bound yet: without any binding, events would be lost.
    NotUnbound(BindingDeclaration),
    Deleted {
        kind: ObjectKind,
        name: String,
        /// The messages that were deleted with a queue.
        messages: u32,
    },
    Kept {
        kind: ObjectKind,
        name: String,
        reason: String,
    },
    /// Events without a matching binding were published again.
    Republished {
        service: String,
        messages: u32,
        /// How many of them are still without a matching binding.
        unrouted: u32,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { kind, name } => write!(f, "created the {kind} {name}"),
            Self::Bound(binding) => write!(f, "bound {binding}"),
            Self::NotBound(binding) => {
                write!(f, "did not bind {binding}: the exchange has another type")
            }
            Self::Unbound(binding) => write!(f, "unbound {binding}"),
            Self::NotUnbound(binding) => {
                write!(f, "did not unbind {binding}: no other queue is bound yet, run apply first")
            }
            Self::Deleted { kind: ObjectKind::Exchange, name, .. } => {
                write!(f, "deleted the exchange {name}")
            }
            Self::Deleted { kind: ObjectKind::Queue, name, messages } => {
                write!(f, "deleted the queue {name} with {messages} messages")
            }
            Self::Kept { kind, name, reason } => write!(f, "kept the {kind} {name}: {reason}"),
            Self::Republished { service, messages, unrouted } => write!(
                f,
                "published {messages} messages of {service} again; {unrouted} of them match no binding"
            ),
        }
    }
}

/// Creates what the plan misses. What differs is left as it is.
pub async fn apply(amqp_url: &str, plan: &Plan) -> Result<Vec<Change>, Error> {
    let session = Session::connect(amqp_url, CLIENT, broker::HEARTBEAT).await?;
    let applied = create(&session.channels()?, plan).await;
    session.close().await;
    applied
}

async fn create(channels: &Channels, plan: &Plan) -> Result<Vec<Change>, Error> {
    let missing = plan.missing.clone();
    let unusable: BTreeSet<&str> = plan
        .different
        .iter()
        .filter(|found| found.kind == ObjectKind::Exchange && found.is_unusable)
        .map(|found| found.name.as_str())
        .collect();
    let (skipped, bindings): (Vec<_>, Vec<_>) = missing
        .bindings
        .into_iter()
        .partition(|binding| unusable.contains(binding.exchange.as_str()));
    let declarations = Declarations {
        service: CLIENT.to_owned(),
        exchanges: missing.exchanges,
        queues: missing.queues,
        bindings,
    };
    declare::declare_all(channels, &declarations, declare::Rights::All).await?;
    let Declarations { exchanges, queues, bindings, .. } = declarations;
    let created = |kind| move |name| Change::Created { kind, name };
    let exchanges = exchanges.into_iter().map(|exchange| exchange.name);
    let queues = queues.into_iter().map(|queue| queue.name);
    Ok(exchanges
        .map(created(ObjectKind::Exchange))
        .chain(queues.map(created(ObjectKind::Queue)))
        .chain(bindings.into_iter().map(Change::Bound))
        .chain(skipped.into_iter().map(Change::NotBound))
        .collect())
}

/// Removes what the plan calls unused: bindings first, so that nothing arrives while their queues are deleted.
///
/// A queue with consumers is kept with its bindings: an instance of an earlier version still uses it. A queue with messages is kept
/// without its bindings, unless the options allow to delete it. A former slot group is unbound although it is consumed, so that it
/// becomes empty and its consumer leaves it. No binding is removed before the one that takes over exists.
pub async fn prune(
    amqp_url: &str,
    plan: &Plan,
    options: &PruneOptions,
) -> Result<Vec<Change>, Error> {
    let session = Session::connect(amqp_url, CLIENT, broker::HEARTBEAT).await?;
    let pruned = remove(&session.channels()?, plan, options).await;
    session.close().await;
    pruned
}

async fn remove(
    channels: &Channels,
    plan: &Plan,
    options: &PruneOptions,
) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    let queues = plan.unused.queues.iter().filter(|queue| options.select(&queue.name));
    let (mut idle, mut bound) = (Vec::new(), BTreeSet::new());
    for queue in queues {
        match depth(channels, &queue.name).await? {
            // Another process has deleted it.
            None => {}
            Some((_, consumers)) if consumers > 0 && !queue.is_former => {
                bound.insert(queue.name.as_str());
                let reason = format!("it has {consumers} consumers");
                changes.push(kept(ObjectKind::Queue, &queue.name, reason));
            }
            Some(_) => idle.push(queue.name.as_str()),
        }
    }
    let channel = channels.open().await?;
    let mut not_unbound = BTreeSet::new();
    for binding in &plan.unused.bindings {
        // Of a queue that is still declared, only this binding is unused. No name selects it.
        let is_selected = if plan.unused.queues.iter().any(|queue| queue.name == binding.queue) {
            options.select(&binding.queue) && !bound.contains(binding.queue.as_str())
        } else {
            options.names.is_empty()
        };
        if is_selected && plan.missing_successor(binding).is_some() {
            not_unbound.insert(binding.queue.as_str());
            changes.push(Change::NotUnbound(binding.clone()));
        } else if is_selected {
            unbind(&channel, binding).await?;
            changes.push(Change::Unbound(binding.clone()));
        }
    }
    broker::close_channel(&channel).await?;
    for name in idle.into_iter().filter(|name| !not_unbound.contains(name)) {
        changes.extend(remove_queue(channels, name, options).await?);
    }
    for name in plan.unused.exchanges.iter().filter(|name| options.select(name)) {
        changes.push(remove_exchange(channels, name).await?);
    }
    Ok(changes)
}

/// Deletes an unbound queue if that is allowed. Quorum queues do not support the conditions of `queue.delete`, but nothing arrives in
/// this queue any more.
async fn remove_queue(
    channels: &Channels,
    name: &str,
    options: &PruneOptions,
) -> Result<Option<Change>, Error> {
    let Some((messages, consumers)) = depth(channels, name).await? else { return Ok(None) };
    if consumers > 0 {
        let reason = format!("it has {consumers} consumers");
        return Ok(Some(kept(ObjectKind::Queue, name, reason)));
    }
    if messages > 0 && !options.with_messages && !options.is_named(name) {
        let reason = format!("it has {messages} messages");
        return Ok(Some(kept(ObjectKind::Queue, name, reason)));
    }
    let channel = channels.open().await?;
    let deleted = channel.queue_delete(name.into(), QueueDeleteOptions::default());
    let messages = with_timeout("deleting a queue", REPLY_TIMEOUT, deleted).await?;
    broker::close_channel(&channel).await?;
    Ok(Some(Change::Deleted { kind: ObjectKind::Queue, name: name.to_owned(), messages }))
}

/// Deletes an exchange without bindings.
async fn remove_exchange(channels: &Channels, name: &str) -> Result<Change, Error> {
    let channel = channels.open().await?;
    let options = ExchangeDeleteOptions { if_unused: true, ..ExchangeDeleteOptions::default() };
    let deleted = channel.exchange_delete(name.into(), options);
    match with_timeout("deleting an exchange", REPLY_TIMEOUT, deleted).await {
        Ok(()) => broker::close_channel(&channel).await?,
        Err(error) if is_soft(&error, &AMQPSoftError::PRECONDITIONFAILED) => {
            return Ok(kept(ObjectKind::Exchange, name, "it has bindings".to_owned()));
        }
        Err(error) => return Err(error),
    }
    Ok(Change::Deleted { kind: ObjectKind::Exchange, name: name.to_owned(), messages: 0 })
}

fn kept(kind: ObjectKind, name: &str, reason: String) -> Change {
    Change::Kept { kind, name: name.to_owned(), reason }
}

async fn unbind(channel: &Channel, binding: &BindingDeclaration) -> Result<(), Error> {
    let unbound = channel.queue_unbind(
        binding.queue.as_str().into(),
        binding.exchange.as_str().into(),
        binding.routing_key.as_str().into(),
        FieldTable::default(),
    );
    with_timeout("unbinding a queue", REPLY_TIMEOUT, unbound).await
}

/// Publishes events again that no binding matched, once the bindings exist. The services do the same by themselves.
pub async fn republish_unrouted(amqp_url: &str, plan: &Plan) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    for UnroutedQueue { service, .. } in &plan.unrouted {
        let Republished { messages, unrouted } =
            unrouted_events::republish(amqp_url, service).await?;
        changes.push(Change::Republished { service: service.clone(), messages, unrouted });
    }
    Ok(changes)
}
