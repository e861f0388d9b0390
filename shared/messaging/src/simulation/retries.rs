//! `messaging.parked` of a subscription to full state: the statements of `consumer/retries.rs`. Its `due` is that of `parking`,
//! for no row here was parked by a subscription with cursors.

use super::{
    bugs::Bug,
    database::Database,
    world::{World, number},
};
use crate::consumer::core::{Incoming, Origin, Step};

impl Database {
    /// `retries::start`: the newest event of a key that is due, and its starts, this one included.
    pub(super) fn start(&mut self, key: usize, now: u64) -> Option<(Incoming, i32)> {
        let of_key = self.parked.range_mut((key, 0)..(key + 1, 0)).rev();
        let (_, row) =
            of_key.into_iter().find(|(_, row)| row.next_at.is_some_and(|at| at <= now))?;
        row.starts += 1;
        Some((row.incoming(), row.starts))
    }
}

impl World {
    /// `retries::clear` for one event.
    pub(super) fn clear(&mut self, incoming: &Incoming, step: &Step, origin: Origin) {
        let envelope = &incoming.envelope;
        let is_over = origin == Origin::Parked && !matches!(step, Step::ParkRetry(_));
        if is_over && !self.has(Bug::RetryStaysParked) {
            self.database.parked.remove(&(number(&envelope.subject), envelope.sequence));
        }
    }
}
