//! Who of a service's replicas runs which lanes: decided by each replica for itself, from what it sees of all.
//!
//! Replicas that see the same decide alike. Those that see different moments may want the same lane; the database gives it to
//! one of them, and the other sees so when it looks again.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// What a replica sees: lanes are numbered, and stand in one order for all replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// The replicas that live, the one that looks among them.
    pub(super) members: BTreeSet<Uuid>,
    /// Who holds each lane; `None` if nobody does who lives.
    pub(super) holders: Vec<Option<Uuid>>,
}

/// What one replica is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// The lanes to take.
    pub(super) take: Vec<usize>,
    /// The lanes to give up.
    pub(super) give: Vec<usize>,
    /// Whether nobody, here or elsewhere, has anything to take or to give up.
    pub(super) settled: bool,
}

/// What `me` is to do. Shares differ by one at most, and the larger ones fall to those that hold as much already, so that no
/// lane moves that need not. Lanes are taken from the front and given up from the back: the second of two replicas gets
/// the second half.
pub(super) fn moves(me: Uuid, view: &View) -> Moves {
    let lanes_of = |member: Uuid| {
        let held =
            move |(lane, holder): (usize, &Option<Uuid>)| (*holder == Some(member)).then_some(lane);
        view.holders.iter().enumerate().filter_map(held)
    };
    let shares = shares(me, view);
    let settled = shares.iter().all(|(member, share)| lanes_of(*member).count() == *share);
    let share = shares.get(&me).copied().unwrap_or_default();
    let free = view.holders.iter().enumerate().filter(|(_, holder)| holder.is_none());
    let missing = share.saturating_sub(lanes_of(me).count());
    Moves {
        take: free.map(|(lane, _)| lane).take(missing).collect(),
        give: lanes_of(me).skip(share).collect(),
        settled,
    }
}

/// How many lanes each member is to have, as `me` sees it.
///
/// The larger shares that nobody holds yet go to whoever looks: it takes what is free. If all agreed on who is to have them,
/// that one might have looked already, and a lane would stay free until it looks again.
fn shares(me: Uuid, view: &View) -> BTreeMap<Uuid, usize> {
    let (lanes, number) = (view.holders.len(), view.members.len().max(1));
    let held =
        |member: &Uuid| view.holders.iter().filter(|holder| **holder == Some(*member)).count();
    let mut members: Vec<Uuid> = view.members.iter().copied().collect();
    members.sort_by_key(|member| {
        let has_less = held(member) <= lanes / number;
        (has_less, has_less && *member != me)
    });
    let share = |rank: usize| lanes / number + usize::from(rank < lanes % number);
    members.into_iter().enumerate().map(|(rank, member)| (member, share(rank))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*, sample::Index};
    use uuid::Uuid;

    use super::{Moves, View, moves};

    fn member(number: u8) -> Uuid {
        Uuid::from_u128(u128::from(number))
    }

    /// A view of `members` in which the lanes are held by these; 0 is nobody.
    fn view(members: &[u8], holders: &[u8]) -> View {
        let holder = |number: &u8| (*number > 0).then(|| member(*number));
        View {
            members: members.iter().copied().map(member).collect(),
            holders: holders.iter().map(holder).collect(),
        }
    }

    #[test]
    fn one_alone_takes_all_at_once() {
        let seen = moves(member(1), &view(&[1], &[0, 0, 0, 0]));
        assert_eq!(seen, Moves { take: vec![0, 1, 2, 3], give: vec![], settled: false });
    }

    #[test]
    fn a_newcomer_gets_the_second_half() {
        let seen = view(&[1, 2], &[1, 1, 1, 1]);
        assert_eq!(moves(member(1), &seen).give, [2, 3]);
        assert_eq!(moves(member(2), &seen), Moves::default());
        let seen = view(&[1, 2], &[1, 1, 0, 0]);
        assert_eq!(moves(member(1), &seen), Moves::default());
        assert_eq!(moves(member(2), &seen).take, [2, 3]);
        assert!(moves(member(2), &view(&[1, 2], &[1, 1, 2, 2])).settled);
    }

    #[test]
    fn more_replicas_than_lanes_leave_some_without() {
        let seen = view(&[1, 2, 3], &[2, 3]);
        for number in 1..=3 {
            assert_eq!(
                moves(member(number), &seen),
                Moves { settled: true, ..Moves::default() },
                "{number}"
            );
        }
    }

    /// The table of the database: what is seen is its living part.
    #[derive(Debug, Clone)]
    struct Table {
        living: BTreeSet<Uuid>,
        holders: Vec<Option<Uuid>>,
    }

    impl Table {
        fn view(&self) -> View {
            let living =
                |holder: &Option<Uuid>| holder.filter(|holder| self.living.contains(holder));
            View {
                members: self.living.clone(),
                holders: self.holders.iter().map(living).collect(),
            }
        }

        /// `me` does what it decided on `view`, which may be old: only what nobody living holds can be taken.
        fn apply(&mut self, me: Uuid, view: &View) {
            let Moves { take, give, .. } = moves(me, view);
            for lane in give {
                self.holders[lane] = self.holders[lane].filter(|holder| *holder != me);
            }
            for lane in take {
                if self.view().holders[lane].is_none() {
                    self.holders[lane] = Some(me);
                }
            }
        }

        /// The fewest lanes that must change hands until shares are even: those that nobody holds, and what members have
        /// beyond their shares.
        fn needed(&self) -> usize {
            let view = self.view();
            let give = |member: &Uuid| moves(*member, &view).give.len();
            let free = view.holders.iter().filter(|holder| holder.is_none()).count();
            free + self.living.iter().map(give).sum::<usize>()
        }
    }

    /// The numbers of all members that there may be, each once.
    fn all_in_some_order() -> impl Strategy<Value = Vec<u8>> {
        Just((1..7).collect::<Vec<u8>>()).prop_shuffle()
    }

    proptest! {
        /// From any state, with members that look in any order and act on what they saw some time ago: all lanes get a holder,
        /// shares differ by one at most, and then nothing moves any more.
        #[test]
        fn it_settles_evenly(
            lanes in 0_usize..12,
            living in vec(1_u8..7, 1..6),
            held in vec(0_u8..7, 12),
            steps in vec((any::<Index>(), any::<bool>()), 0..60),
            rounds in [all_in_some_order(), all_in_some_order()],
        ) {
            let living: BTreeSet<Uuid> = living.into_iter().map(member).collect();
            let members: Vec<Uuid> = living.iter().copied().collect();
            let holders = view(&[], &held[..lanes]).holders;
            let mut table = Table { living, holders };
            let mut old = table.view();
            for (who, fresh) in steps {
                if fresh {
                    old = table.view();
                }
                // What a member holds itself it always knows.
                let me = *who.get(&members);
                let mut seen = old.clone();
                for (lane, holder) in table.holders.iter().enumerate() {
                    if *holder == Some(me) || seen.holders[lane] == Some(me) {
                        seen.holders[lane] = *holder;
                    }
                }
                table.apply(me, &seen);
            }
            // From here on everybody sees what is there, in turn, in any order; two rounds: some give, then some take.
            let turns = rounds.into_iter().flatten().map(member);
            for me in turns.filter(|member| members.contains(member)) {
                let seen = table.view();
                table.apply(me, &seen);
            }
            let seen = table.view();
            prop_assert!(seen.holders.iter().all(Option::is_some), "a lane has nobody: {seen:?}");
            let of = |me: &Uuid| seen.holders.iter().filter(|holder| **holder == Some(*me)).count();
            let (least, most) = (members.iter().map(of).min(), members.iter().map(of).max());
            prop_assert!(most <= least.map(|least| least + 1), "{seen:?}");
            for me in &members {
                prop_assert_eq!(moves(*me, &seen), Moves { settled: true, ..Moves::default() });
            }
        }

        /// No more lanes change hands than must.
        #[test]
        fn no_lane_moves_that_need_not(
            lanes in 0_usize..12,
            living in vec(1_u8..7, 1..6),
            held in vec(0_u8..7, 12),
        ) {
            let living: BTreeSet<Uuid> = living.into_iter().map(member).collect();
            let members: Vec<Uuid> = living.iter().copied().collect();
            let holders = view(&[], &held[..lanes]).holders;
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
