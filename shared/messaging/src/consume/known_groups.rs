//! Which queues of a service may have messages, while replicas with different numbers of slot groups run, and after a change.

use std::collections::{BTreeMap, BTreeSet};

use envelope::SLOTS;

use super::subscription::Subscription;
use crate::{naming::slot_group, slot_groups::SlotGroups};

/// The numbers of slot groups that are in use or were, by aggregate of the subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownGroups(BTreeMap<&'static str, BTreeSet<u8>>);

impl KnownGroups {
    /// The setting alone.
    pub(super) fn of(subscriptions: &[Subscription], setting: &SlotGroups) -> Self {
        let aggregates = subscriptions.iter().map(Subscription::aggregate);
        Self(aggregates.map(|aggregate| (aggregate, [setting.of(aggregate)].into())).collect())
    }

    /// Adds what other replicas use. Aggregates without a subscription are left out.
    pub(super) fn with<'a>(mut self, used: impl IntoIterator<Item = (&'a str, i16)>) -> Self {
        for (aggregate, groups) in used {
            if let (Some(known), Ok(groups)) = (self.0.get_mut(aggregate), u8::try_from(groups)) {
                known.insert(groups.clamp(1, SLOTS));
            }
        }
        self
    }

    /// The number of queues of a subscription.
    pub(super) fn queues(&self, aggregate: &str) -> u8 {
        self.known(aggregate).max().unwrap_or_default()
    }

    /// The slots of which messages may be in a queue, each with the other queues in which they may be.
    pub(super) fn slots(&self, aggregate: &str, queue: u8) -> BTreeMap<i16, BTreeSet<u8>> {
        let slot = |slot: u8| {
            let mut queues: BTreeSet<u8> =
                self.known(aggregate).map(|groups| slot_group(slot, groups)).collect();
            queues.remove(&queue).then_some((i16::from(slot), queues))
        };
        (0..SLOTS).filter_map(slot).collect()
    }

    fn known(&self, aggregate: &str) -> impl Iterator<Item = u8> {
        self.0.get(aggregate).into_iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::KnownGroups;
    use crate::{
        consume::subscription::{OnReject, Subscription},
        slot_groups::SlotGroups,
    };

    fn known(setting: &str, used: &[(&str, i16)]) -> KnownGroups {
        let subscription = Subscription::to("order", ["order"], OnReject::Continue);
        let setting: SlotGroups = setting.parse().unwrap();
        KnownGroups::of(&[subscription], &setting).with(used.iter().copied())
    }

    /// The other queues of a slot, seen from one queue; `None` if the slot is not in this queue.
    fn others(known: &KnownGroups, queue: u8, slot: i16) -> Option<Vec<u8>> {
        known.slots("order", queue).remove(&slot).map(|queues| queues.into_iter().collect())
    }

    #[test]
    fn one_setting_has_each_slot_in_one_queue() {
        let known = known("", &[("order", 2), ("stock", 8)]);
        assert_eq!((known.queues("order"), known.queues("stock")), (2, 0));
        assert_eq!(others(&known, 0, 2), Some(vec![]));
        assert_eq!(others(&known, 1, 2), None);
    }

    #[test]
    fn two_settings_share_slots_between_queues() {
        let known = known("order=4", &[("order", 2)]);
        assert_eq!(known.queues("order"), 4);
        assert_eq!(others(&known, 0, 0), Some(vec![]));
        assert_eq!(others(&known, 0, 2), Some(vec![2]));
        assert_eq!(others(&known, 2, 2), Some(vec![0]));
        assert_eq!(others(&known, 2, 0), None);
        assert_eq!(known, self::known("order=2", &[("order", 4)]));
    }
}
