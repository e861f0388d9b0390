//! Names of queues and exchanges, and routing keys.

use envelope::{SLOTS, Slot};

/// The number of quorum queues of a subscription: the sixteen slots are divided among them. Replicas of a service divide the
/// queues; one process consumes several concurrently.
pub const SLOT_GROUPS: u8 = 2;

/// The slots of a slot group.
pub(crate) fn slots_of(group: u8) -> impl Iterator<Item = Slot> {
    Slot::all().filter(move |slot| slot_group(slot.number()) == group)
}

/// The slot group of a slot.
pub(crate) const fn slot_group(slot: u8) -> u8 {
    slot % SLOT_GROUPS
}

/// The queue of a subscription to an aggregate, for one slot group.
pub(crate) fn consumer_queue(service: &str, aggregate: &str, group: u8) -> String {
    format!("{service}.{aggregate}.{group}")
}

/// The routing key of an aggregate's slot.
pub(crate) fn routing_key(aggregate: &str, slot: u8) -> String {
    format!("{aggregate}.{}", slot % SLOTS)
}

/// The queue to which the broker dead-letters messages that were redelivered too often.
pub(crate) fn dead_queue(service: &str) -> String {
    format!("{service}.dead")
}

/// The alternate exchange of a service, and its queue: both hold events without a matching binding.
pub(crate) fn unrouted(service: &str) -> String {
    format!("{service}.unrouted")
}

/// The queue in which subscribers ask a service for messages that they miss.
pub(crate) fn request_queue(service: &str) -> String {
    format!("{service}.requests")
}

/// The service that owns a queue with this name: `<service>.<aggregate>.<slot group>`, `<service>.dead`, `<service>.requests` or
/// `<service>.unrouted`.
pub(crate) fn owner_of_queue(name: &str) -> Option<&str> {
    let parts: Vec<&str> = name.split('.').collect();
    let is_group =
        |text: &str| !text.is_empty() && text.chars().all(|digit| digit.is_ascii_digit());
    match parts.as_slice() {
        [service, "dead" | "requests" | "unrouted"] => Some(service),
        [service, aggregate, group] if !aggregate.is_empty() && is_group(group) => Some(service),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::owner_of_queue;

    #[test]
    fn names_of_queues_tell_their_owner() {
        for name in
            ["order.stock.0", "order.stock.11", "order.dead", "order.requests", "order.unrouted"]
        {
            assert_eq!(owner_of_queue(name), Some("order"), "{name}");
        }
        let foreign = [
            "order",
            "order.stock",
            "order.stock.x",
            "order.stock.",
            "order..0",
            "order.stock.0.1",
            "order.stock.replay.0f",
            "amq.gen-x",
            "",
        ];
        for name in foreign {
            assert_eq!(owner_of_queue(name), None, "{name}");
        }
    }
}
