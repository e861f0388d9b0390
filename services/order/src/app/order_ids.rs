//! Draws the ids of new orders.

use std::iter;

use contracts::{inventory::RESERVATION, order::ORDER};
use envelope::Slot;
use messaging::SlotGroups;
use vocabulary::OrderId;

use crate::domain::{PriorityClass, PriorityQueues};

/// The most ids that are drawn for an order. Each fits with a probability of one sixteenth at least.
const MAX_DRAWS: usize = 10_000;

/// The events of an order wait in the queue of its slot, and the slot follows from the id. So the id decides with which orders an order
/// waits, in every service. Its events keep their order: they are in one queue.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OrderIds(Option<PriorityQueues>);

/// The classes do not have all queues of the subscriptions, or more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "PRIORITY_QUEUES has {queues} queues, but {aggregate} has {groups} slot groups in SLOT_GROUPS"
)]
pub(crate) struct OtherSlotGroups {
    queues: u8,
    aggregate: &'static str,
    groups: u8,
}

impl OrderIds {
    /// Without `queues`, all orders share all queues.
    pub(crate) fn new(
        queues: Option<PriorityQueues>,
        slot_groups: &SlotGroups,
    ) -> Result<Self, OtherSlotGroups> {
        if let Some(queues) = queues.map(PriorityQueues::total) {
            for aggregate in [ORDER, RESERVATION] {
                let groups = slot_groups.of(aggregate);
                if groups != queues {
                    return Err(OtherSlotGroups { queues, aggregate, groups });
                }
            }
        }
        Ok(Self(queues))
    }

    /// An id of a new order.
    pub(crate) fn draw(self, class: PriorityClass) -> OrderId {
        let Some(queues) = self.0 else { return OrderId::new() };
        let (own, all) = (queues.of(class), queues.total());
        let fits = |id: &OrderId| own.contains(&(Slot::of(&id.to_string()).number() % all));
        let drawn = iter::repeat_with(OrderId::new).take(MAX_DRAWS).find(fits);
        drawn.unwrap_or_else(OrderId::new)
    }
}

#[cfg(test)]
mod tests {
    use envelope::Slot;

    use super::OrderIds;
    use crate::domain::PriorityClass;

    #[test]
    fn each_class_has_its_own_queues() {
        let groups = "order=8,reservation=8".parse().unwrap();
        let queues = "vip=1,paid=4,bulk=3".parse().unwrap();
        let ids = OrderIds::new(Some(queues), &groups).unwrap();
        let mut used = PriorityClass::ALL.map(|_| [false; 8]);
        for (class, used) in PriorityClass::ALL.into_iter().zip(&mut used) {
            for _ in 0..500 {
                let id = ids.draw(class).to_string();
                used[usize::from(Slot::of(&id).number() % 8)] = true;
            }
        }
        let [yes, no] = [true, false];
        assert_eq!(
            used,
            [
                [no, no, no, no, no, no, no, yes],
                [no, no, no, yes, yes, yes, yes, no],
                [yes, yes, yes, no, no, no, no, no],
                [yes, yes, yes, no, no, no, no, no],
            ]
        );
    }

    #[test]
    fn the_classes_need_all_queues_of_both_aggregates() {
        let queues = || Some("vip=1,bulk=3".parse().unwrap());
        let new = |groups: &str| OrderIds::new(queues(), &groups.parse().unwrap());
        assert!(new("order=4,reservation=4").is_ok());
        for (groups, message) in [
            ("order=4", "PRIORITY_QUEUES has 4 queues, but reservation has 2 slot groups"),
            ("", "PRIORITY_QUEUES has 4 queues, but order has 2 slot groups"),
        ] {
            let error = new(groups).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        assert!(OrderIds::new(None, &"order=4".parse().unwrap()).is_ok());
    }
}
