//! What a lane takes from the broker, and gives back as done.

use std::{rc::Rc, time::Duration};

use envelope::Envelope;

use super::{broker::DEAD, bugs::Bug, hand::Hand, lane::Lane, world::World};
use crate::{
    consumer::{
        core::{Incoming, Ruling},
        dispatch::Dispatch,
        hand::Settled,
        work::Work,
    },
    topology::Guard,
};

impl Lane {
    /// A hand, if events are taken in an order of our own. What is in hand on a connection that is lost makes one more batch at
    /// most.
    pub(super) fn open_hand(&mut self, world: &mut World, connection: u32) {
        if let Guard::Newest(dispatch) = world.guard
            && dispatch != Dispatch::Fifo
            && self.queue != DEAD
        {
            let is_old = |hand: &mut Hand| hand.connection != connection;
            if let Some(old) = self.hand.take_if(is_old) {
                self.hand = Some(old).filter(|old| !old.is_empty() && world.random.chance(50));
            }
            self.hand.get_or_insert_with(|| Hand::new(connection, dispatch));
        }
    }

    /// What is processed next, each event with the tag of its message, and the connection on which it came.
    pub(super) fn take(
        &mut self,
        world: &mut World,
        process: usize,
        connection: u32,
        has_messages: bool,
    ) -> (Vec<(u64, Envelope)>, u32) {
        let most = if self.queue == DEAD { 1 } else { 1 + world.random.below(4) };
        let Some(hand) = &mut self.hand else {
            let messages = world.broker.take(self.queue, process, most);
            let of_one = |(tag, events): &(u64, Rc<Vec<Envelope>>)| {
                let tag = *tag;
                events.iter().map(move |envelope| (tag, envelope.clone())).collect::<Vec<_>>()
            };
            return (messages.iter().flat_map(of_one).collect(), connection);
        };
        let now = world.now();
        // The broker sends ahead what it has, but it may be on its way.
        let is_needed = hand.is_empty();
        if has_messages && (is_needed || world.random.chance(70)) {
            for (tag, message) in world.broker.take(self.queue, process, most) {
                hand.receive(tag, &message, now);
            }
        }
        (hand.take(now, 1 + world.random.below(4)), hand.connection)
    }

    /// Acknowledges messages as far as all of their events are dealt with.
    pub(super) fn acknowledge(&mut self, world: &mut World, process: usize, tags: &[u64]) {
        let Some(hand) = &mut self.hand else {
            let last = tags.iter().max().copied().unwrap_or_default();
            let gone = world.broker.acknowledge(self.queue, process, |tag| tag <= last);
            return world.check_acknowledged(&gone);
        };
        let Settled { first, others } = hand.done(tags, world.has(Bug::AcknowledgedWithTheFirst));
        world.seen.of_state.between += u64::from(hand.is_between());
        world.seen.of_state.acknowledged_alone += u64::from(!others.is_empty());
        let mut last = first.last().map_or(0, |message| message.tag);
        if world.has(Bug::AcknowledgedWithOpen) {
            last = others.last().map_or(last, |message| message.tag);
        }
        let is_meant = |tag| tag <= last || others.iter().any(|message| message.tag == tag);
        let gone = world.broker.acknowledge(self.queue, process, is_meant);
        world.check_acknowledged(&gone);
    }

    /// The events of messages; those that the broker gave up are to be parked, see `park_all`.
    pub(super) fn read(&self, events: &[(u64, Envelope)]) -> Work {
        let incoming = |(_, envelope): &(u64, Envelope)| Incoming {
            envelope: envelope.clone(),
            attempts: 0,
            causes: Vec::new(),
            route: (String::new(), String::new()),
        };
        let all: Vec<Incoming> = events.iter().map(incoming).collect();
        let ruled = if self.queue == DEAD { all.len() } else { 0 };
        let rulings = (0..ruled).map(|index| (index, Ruling::Retry(Duration::ZERO))).collect();
        Work::new(all, rulings)
    }
}
