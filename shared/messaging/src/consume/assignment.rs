//! The assignment of queues to replicas. Each replica decides for itself.
//!
//! Replicas with the same view decide alike. Replicas with different views may want the same queue: the
//! database grants it to one of them, and the other notices at its next check.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// What a replica sees. Queues are numbered in the same order for all replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClusterView {
    /// The living replicas, including this one.
    pub(super) members: BTreeSet<Uuid>,
    /// The holder of each queue; `None` if no living replica holds it.
    pub(super) holders: Vec<Option<Uuid>>,
}

/// What a replica must do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rebalance {
    pub(super) acquire: Vec<usize>,
    pub(super) release: Vec<usize>,
    /// Whether no replica has anything to acquire or release.
    pub(super) is_stable: bool,
}

/// What the replica `me` must do.
///
/// The numbers of queues differ by one at most. The larger ones go to replicas that already hold as many, so
/// no queue moves without need. Queues are acquired from the front and released from the back: the second of
/// two replicas gets the second half.
pub(super) fn rebalance(me: Uuid, view: &ClusterView) -> Rebalance {
    let queues_of = |member: Uuid| {
        let held = move |(queue, holder): (usize, &Option<Uuid>)| {
            (*holder == Some(member)).then_some(queue)
        };
        view.holders.iter().enumerate().filter_map(held)
    };
    let targets = target_counts(me, view);
    let is_stable = targets.iter().all(|(member, target)| queues_of(*member).count() == *target);
    let target = targets.get(&me).copied().unwrap_or_default();
    let free = view.holders.iter().enumerate().filter(|(_, holder)| holder.is_none());
    let missing = target.saturating_sub(queues_of(me).count());
    Rebalance {
        acquire: free.map(|(queue, _)| queue).take(missing).collect(),
        release: queues_of(me).skip(target).collect(),
        is_stable,
    }
}

/// How many queues each member should have, from the view of `me`.
///
/// If larger numbers are still unclaimed, each replica claims one for itself and acquires what is free. If
/// all agreed on another replica, a queue would stay free until that one checks again.
fn target_counts(me: Uuid, view: &ClusterView) -> BTreeMap<Uuid, usize> {
    let (queues, number) = (view.holders.len(), view.members.len().max(1));
    let held =
        |member: &Uuid| view.holders.iter().filter(|holder| **holder == Some(*member)).count();
    let mut members: Vec<Uuid> = view.members.iter().copied().collect();
    members.sort_by_key(|member| {
        let is_below = held(member) <= queues / number;
        (is_below, is_below && *member != me)
    });
    let target = |rank: usize| queues / number + usize::from(rank < queues % number);
    members.into_iter().enumerate().map(|(rank, member)| (member, target(rank))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*, sample::Index};
    use uuid::Uuid;

    use super::{ClusterView, Rebalance, rebalance};

    fn member(number: u8) -> Uuid {
        Uuid::from_u128(u128::from(number))
    }

    /// A view of `members` with these holders; 0 means no holder.
    fn view(members: &[u8], holders: &[u8]) -> ClusterView {
        let holder = |number: &u8| (*number > 0).then(|| member(*number));
        ClusterView {
            members: members.iter().copied().map(member).collect(),
            holders: holders.iter().map(holder).collect(),
        }
    }

    #[test]
    fn a_single_replica_acquires_all_queues() {
        let seen = rebalance(member(1), &view(&[1], &[0, 0, 0, 0]));
        assert_eq!(
            seen,
            Rebalance { acquire: vec![0, 1, 2, 3], release: vec![], is_stable: false }
        );
    }

    #[test]
    fn a_new_replica_gets_the_second_half() {
        let seen = view(&[1, 2], &[1, 1, 1, 1]);
        assert_eq!(rebalance(member(1), &seen).release, [2, 3]);
        assert_eq!(rebalance(member(2), &seen), Rebalance::default());
        let seen = view(&[1, 2], &[1, 1, 0, 0]);
        assert_eq!(rebalance(member(1), &seen), Rebalance::default());
        assert_eq!(rebalance(member(2), &seen).acquire, [2, 3]);
        assert!(rebalance(member(2), &view(&[1, 2], &[1, 1, 2, 2])).is_stable);
    }

    #[test]
    fn surplus_replicas_get_no_queues() {
        let seen = view(&[1, 2, 3], &[2, 3]);
        for number in 1..=3 {
            assert_eq!(
                rebalance(member(number), &seen),
                Rebalance { is_stable: true, ..Rebalance::default() },
                "{number}"
            );
        }
    }

    /// The table in the database. Views show its living part.
    #[derive(Debug, Clone)]
    struct Table {
        living: BTreeSet<Uuid>,
        holders: Vec<Option<Uuid>>,
    }

    impl Table {
        fn view(&self) -> ClusterView {
            let living =
                |holder: &Option<Uuid>| holder.filter(|holder| self.living.contains(holder));
            ClusterView {
                members: self.living.clone(),
                holders: self.holders.iter().map(living).collect(),
            }
        }

        /// `me` acts on `view`, which may be stale: only queues without a living holder can be acquired.
        fn apply(&mut self, me: Uuid, view: &ClusterView) {
            let Rebalance { acquire, release, .. } = rebalance(me, view);
            for queue in release {
                self.holders[queue] = self.holders[queue].filter(|holder| *holder != me);
            }
            for queue in acquire {
                if self.view().holders[queue].is_none() {
                    self.holders[queue] = Some(me);
                }
            }
        }

        /// The minimum number of moves to an even assignment: free queues, and those beyond the targets.
        fn needed(&self) -> usize {
            let view = self.view();
            let release = |member: &Uuid| rebalance(*member, &view).release.len();
            let free = view.holders.iter().filter(|holder| holder.is_none()).count();
            free + self.living.iter().map(release).sum::<usize>()
        }
    }

    /// All possible members, each once, in any order.
    fn shuffled_members() -> impl Strategy<Value = Vec<u8>> {
        Just((1..7).collect::<Vec<u8>>()).prop_shuffle()
    }

    proptest! {
        /// From any state, with members that check in any order and act on stale views: all queues get a
        /// holder, the numbers differ by one at most, and then the assignment is stable.
        #[test]
        fn the_assignment_becomes_even_and_stable(
            queues in 0_usize..12,
            living in vec(1_u8..7, 1..6),
            held in vec(0_u8..7, 12),
            steps in vec((any::<Index>(), any::<bool>()), 0..60),
            rounds in [shuffled_members(), shuffled_members()],
        ) {
            let living: BTreeSet<Uuid> = living.into_iter().map(member).collect();
            let members: Vec<Uuid> = living.iter().copied().collect();
            let holders = view(&[], &held[..queues]).holders;
            let mut table = Table { living, holders };
            let mut old = table.view();
            for (who, fresh) in steps {
                if fresh {
                    old = table.view();
                }
                // A member always knows its own queues.
                let me = *who.get(&members);
                let mut seen = old.clone();
                for (queue, holder) in table.holders.iter().enumerate() {
                    if *holder == Some(me) || seen.holders[queue] == Some(me) {
                        seen.holders[queue] = *holder;
                    }
                }
                table.apply(me, &seen);
            }
            // From here on all views are current, in any order, for two rounds: in the first some release, in
            // the second some acquire.
            let turns = rounds.into_iter().flatten().map(member);
            for me in turns.filter(|member| members.contains(member)) {
                let seen = table.view();
                table.apply(me, &seen);
            }
            let seen = table.view();
            prop_assert!(seen.holders.iter().all(Option::is_some), "a queue has no holder: {seen:?}");
            let of = |me: &Uuid| seen.holders.iter().filter(|holder| **holder == Some(*me)).count();
            let (least, most) = (members.iter().map(of).min(), members.iter().map(of).max());
            prop_assert!(most <= least.map(|least| least + 1), "{seen:?}");
            for me in &members {
                prop_assert_eq!(rebalance(*me, &seen), Rebalance { is_stable: true, ..Rebalance::default() });
            }
        }

        /// No more queues move than necessary.
        #[test]
        fn only_necessary_moves_happen(
            queues in 0_usize..12,
            living in vec(1_u8..7, 1..6),
            held in vec(0_u8..7, 12),
        ) {
            let living: BTreeSet<Uuid> = living.into_iter().map(member).collect();
            let members: Vec<Uuid> = living.iter().copied().collect();
            let holders = view(&[], &held[..queues]).holders;
            let mut table = Table { living, holders };
            let (before, needed) = (table.view(), table.needed());
            for _ in 0..2 {
                for me in &members {
                    let seen = table.view();
                    table.apply(*me, &seen);
                }
            }
            let after = table.view();
            let moved = before.holders.iter().zip(&after.holders).filter(|(a, b)| a != b).count();
            prop_assert_eq!(moved, needed, "{:?} to {:?}", before, after);
        }
    }
}
