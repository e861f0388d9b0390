//! Names of queues and exchanges, and routing keys.

use envelope::{SLOTS, Slot};

/// The slots of a slot group, of `groups`. A former group, beyond them, has the slots that it had in the smallest setting with it.
///
/// So the holder of the queue of a slot in the largest setting in use has the slot in its own setting as well.
pub(crate) fn slots_of(group: u8, groups: u8) -> impl Iterator<Item = Slot> {
    let modulus = groups.max((group + 1).next_power_of_two());
    Slot::all().filter(move |slot| slot.number() % modulus == group)
}

/// The slot group of a slot, of `groups`.
pub(crate) const fn slot_group(slot: u8, groups: u8) -> u8 {
    slot % groups
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

/// The consumer of a queue for events.
pub(crate) fn consumer_of_queue(name: &str) -> Option<&str> {
    let (consumer, group) = name.rsplit_once('.')?;
    (consumer.contains('.') && group.parse::<u8>().is_ok()).then_some(consumer)
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
    use envelope::SLOTS;

    use super::{owner_of_queue, slot_group, slots_of};

    fn has_slot(group: u8, groups: u8, slot: u8) -> bool {
        slots_of(group, groups).any(|found| found.number() == slot)
    }

    #[test]
    fn slots_are_divided_among_the_groups() {
        for groups in [1, 2, 4, 8, 16] {
            for slot in 0..SLOTS {
                let having: Vec<u8> =
                    (0..groups).filter(|group| has_slot(*group, groups, slot)).collect();
                assert_eq!(having, [slot_group(slot, groups)]);
            }
        }
    }

    /// Replicas with different settings: whichever of them holds the queue of a slot cares for the slot.
    #[test]
    fn no_slot_is_left_out_between_two_settings() {
        for larger in [1, 2, 4, 8, 16] {
            for smaller in [1, 2, 4, 8, 16].into_iter().filter(|smaller| *smaller <= larger) {
                for slot in 0..SLOTS {
                    let group = slot_group(slot, larger);
                    assert!(has_slot(group, larger, slot) && has_slot(group, smaller, slot));
                }
            }
        }
    }

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
