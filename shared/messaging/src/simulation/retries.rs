//! `messaging.parked` of a state subscription: the statements of `consume::retries`. No row here was parked
//! by a sequenced subscription.

use super::{bugs::Bug, database::Database, events::number, world::World};
use crate::consume::{
    plan::{Decision, Origin},
    received_event::ReceivedEvent,
};

impl Database {
    /// `retries::start`: the newest due event of a key, and its starts including this one.
    pub(super) fn start(
        &mut self,
        key: usize,
        now: u64,
        by: usize,
    ) -> Option<(ReceivedEvent, i32)> {
        let locks = &self.parked_locks;
        let is_free = |position: &(usize, i64)| locks.get(position).is_none_or(|one| *one == by);
        let of_key = self.parked.range_mut((key, 0)..(key + 1, 0)).rev();
        let (_, row) = of_key
            .into_iter()
            .find(|(position, row)| row.next_at.is_some_and(|at| at <= now) && is_free(position))?;
        row.starts += 1;
        Some((row.received_event(), row.starts))
    }
}

impl World {
    /// `retries::clear` for one event.
    pub(super) fn clear(&mut self, received: &ReceivedEvent, decision: &Decision, origin: Origin) {
        let envelope = &received.envelope;
        let is_parked = matches!(decision, Decision::ParkRetry(_) | Decision::ParkUnknown);
        let is_over = origin == Origin::Parked && !is_parked;
        if is_over && !self.has(Bug::RetryStaysParked) {
            self.database.parked.remove(&(number(&envelope.subject), envelope.sequence));
        }
    }
}
