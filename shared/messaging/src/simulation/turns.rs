//! Whose turn it is, and what becomes of a subscriber: faults that stay, backups, and losses.

use super::{
    broker::{StoredMessage, queue_of},
    database::{Database, Effect},
    events::EmittedEvent,
    parked::Parked,
    subscriber::{Broken, BrokenKind, Loss, Subscriber},
    world::World,
};
use crate::consume::received_positions::Finding;

impl World {
    /// The following concerns this subscriber.
    pub(super) fn turn_to(&mut self, subscriber: usize) {
        if subscriber != self.acting {
            self.exchange();
            self.acting = subscriber;
            self.exchange();
        }
    }

    /// Exchanges the state of the acting subscriber with its place among the others.
    fn exchange(&mut self) {
        let place = &mut self.subscribers[self.acting];
        std::mem::swap(&mut self.database, &mut place.database);
        std::mem::swap(&mut self.handler, &mut place.handler);
        std::mem::swap(&mut self.ordering, &mut place.ordering);
    }

    /// The parked events of a subscriber.
    pub(super) fn parked_of(&self, subscriber: usize) -> impl Iterator<Item = &Parked> {
        let is_acting = subscriber == self.acting;
        let database =
            if is_acting { &self.database } else { &self.subscribers[subscriber].database };
        database.parked.values()
    }

    /// The acting subscriber, without the parts that are exchanged.
    pub(super) fn own(&mut self) -> &mut Subscriber {
        &mut self.subscribers[self.acting]
    }

    /// A fault begins that does not end by itself.
    pub(super) fn break_down(&mut self, broken: Broken) {
        self.note(|| format!("from now on: {broken:?}"));
        self.broken = Some(broken);
        self.turn_to(broken.subscriber);
        match broken.kind {
            BrokenKind::Queue(group) => self.broker.silence(queue_of(broken.subscriber, group)),
            BrokenKind::Handler(behaviour) => self.handler.broken = Some(behaviour),
            BrokenKind::Processes => {}
        }
    }

    /// The fault ends after all.
    pub(super) fn heal(&mut self) {
        if let Some(broken) = self.broken.take() {
            self.note(|| format!("healed: {broken:?}"));
            self.turn_to(broken.subscriber);
            self.broker.heal();
            self.handler.broken = None;
        }
    }

    /// The database of the acting subscriber is saved.
    pub(super) fn back_up(&mut self) {
        if self.journal.is_some() {
            // One statement cannot do that.
            return;
        }
        let acting = self.acting;
        self.note(|| format!("the database of subscriber {acting} is saved"));
        let mut backup = self.database.clone();
        backup.unlock_all();
        let own = self.own();
        own.backup = Some(Box::new(backup));
        own.since_backup.clear();
    }

    /// The database of the acting subscriber goes back. Returns whether it was saved before.
    pub(super) fn restore(&mut self) -> bool {
        let own = self.own();
        let Some(backup) = own.backup.take() else { return false };
        own.losses.append(&mut own.since_backup);
        self.database = *backup;
        self.coverage.restored += 1;
        let acting = self.acting;
        self.note(|| format!("the database of subscriber {acting} goes back"));
        true
    }

    /// Messages of a subscriber are lost.
    pub(super) fn lose(&mut self, subscriber: usize, messages: &[StoredMessage]) {
        let losses = messages.iter().map(Loss::of);
        self.subscribers[subscriber].losses.extend(losses);
    }

    /// The acting subscriber has acknowledged messages.
    pub(super) fn remember_acknowledged(&mut self, messages: &[StoredMessage]) {
        let own = self.own();
        if own.backup.is_some() {
            own.since_backup.extend(messages.iter().map(Loss::of));
        }
    }

    /// Whether an event may be lost for the acting subscriber. Its message was lost, and either the publisher no longer has it, or its
    /// position was used twice: a relay had published other events with it before it died or before they were confirmed. A process that
    /// dies over an event also forgets the losses that it has noticed in the last second; the next message of the slot shows them again.
    pub(super) fn may_be_lost(&self, lost: usize) -> bool {
        let own = &self.subscribers[self.acting];
        let mut losses = own.losses.iter().filter(|loss| loss.events.contains(&lost));
        losses.any(|loss| {
            let Loss { slot, position, .. } = loss;
            self.ambiguous.contains(&(*slot, *position))
                || self.has_left_the_log(*slot, *position)
                || own.is_known_expired(loss)
                || !self.handler.deaths.is_empty()
        })
    }

    pub(super) fn has_left_the_log(&self, slot: i16, position: i64) -> bool {
        self.publisher.expired.get(&slot).is_some_and(|expired| position <= *expired)
    }

    /// Whether nothing is known of an event that has a handler.
    fn is_without_trace(&self, event: usize) -> bool {
        let Some(EmittedEvent { key, sequence, kind }) = self.emitted[event] else { return false };
        let Database { effects, letters, parked, .. } = &self.database;
        let is_stale = |effect: &Effect| effect.key == key && effect.sequence > sequence;
        self.handler.handles(kind)
            && effects.iter().all(|effect| effect.event != event)
            && letters.iter().all(|letter| letter.event != event)
            && !parked.contains_key(&(key, sequence))
            && !(self.is_of_state() && effects.iter().any(is_stale))
    }

    /// A lost message of which the subscriber knows that the publisher no longer has it, but no dead letter tells it. What was published
    /// before its first message is no loss.
    pub(super) fn unreported_loss(&self) -> Option<String> {
        let own = &self.subscribers[self.acting];
        let is_lost = |loss: &&Loss| {
            let row = self.database.received.get(&loss.slot);
            row.is_some_and(|row| loss.position > row.began)
                && loss.events.iter().any(|lost| self.is_without_trace(*lost))
        };
        let is_reported = |loss: &&Loss| {
            self.database.findings.iter().any(|finding| match finding {
                Finding::Lost { slot, range, .. } => {
                    *slot == loss.slot && (range.first..=range.last).contains(&loss.position)
                }
                Finding::WentBack { .. } => false,
            })
        };
        let mut losses =
            own.losses.iter().filter(|loss| own.is_known_expired(loss)).filter(is_lost);
        let loss = losses.find(|loss| !is_reported(loss))?;
        Some(format!("message {} of slot {} is lost without a word", loss.position, loss.slot))
    }
}
