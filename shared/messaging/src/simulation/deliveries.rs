//! What a consumer takes from the broker and acknowledges.

use std::{rc::Rc, time::Duration};

use envelope::Envelope;

use super::{
    broker::DEAD, bugs::Bug, delivery_buffer::DeliveryBuffer, queue_consumer::QueueConsumer,
    world::World,
};
use crate::consume::{
    batch_splitter::BatchSplitter, delivery_buffer::Finished, dispatch::Dispatch,
    plan::Disposition, received_event::ReceivedEvent, subscription::Ordering,
};

impl QueueConsumer {
    /// Opens a buffer if events are reordered. After a lost connection, a buffer yields at most one more
    /// batch.
    pub(super) fn open_buffer(&mut self, world: &mut World, connection: u32) {
        if let Ordering::LatestWins(dispatch) = world.ordering
            && dispatch != Dispatch::Fifo
            && self.queue != DEAD
        {
            let is_old = |buffer: &mut DeliveryBuffer| buffer.connection != connection;
            if let Some(old) = self.buffer.take_if(is_old) {
                self.buffer = Some(old).filter(|old| !old.is_empty() && world.random.chance(50));
            }
            self.buffer.get_or_insert_with(|| DeliveryBuffer::new(connection, dispatch));
        }
    }

    /// The next events to process, with the tags of their messages, and the connection on which they arrived.
    pub(super) fn take(
        &mut self,
        world: &mut World,
        process: usize,
        connection: u32,
        has_messages: bool,
    ) -> (Vec<(u64, Envelope)>, u32) {
        let most = if self.queue == DEAD { 1 } else { 1 + world.random.below(4) };
        let Some(buffer) = &mut self.buffer else {
            let messages = world.broker.take(self.queue, process, most);
            let of_one = |(tag, events): &(u64, Rc<Vec<Envelope>>)| {
                let tag = *tag;
                events.iter().map(move |envelope| (tag, envelope.clone())).collect::<Vec<_>>()
            };
            return (messages.iter().flat_map(of_one).collect(), connection);
        };
        let now = world.now();
        // The broker delivers ahead, but messages may still be in flight.
        let is_needed = buffer.is_empty();
        if has_messages && (is_needed || world.random.chance(70)) {
            for (tag, message) in world.broker.take(self.queue, process, most) {
                buffer.receive(tag, &message, now);
            }
        }
        (buffer.take(now, 1 + world.random.below(4)), buffer.connection)
    }

    /// Acknowledges the messages whose events are all processed.
    pub(super) fn acknowledge(&mut self, world: &mut World, process: usize, tags: &[u64]) {
        let Some(buffer) = &mut self.buffer else {
            let last = tags.iter().max().copied().unwrap_or_default();
            let gone = world.broker.acknowledge(self.queue, process, |tag| tag <= last);
            return world.check_acknowledged(&gone);
        };
        let Finished { leading, others } =
            buffer.finish(tags, world.has(Bug::AcknowledgedWithTheFirst));
        world.coverage.of_state.between += u64::from(buffer.is_between());
        world.coverage.of_state.acknowledged_alone += u64::from(!others.is_empty());
        let mut last = leading.last().map_or(0, |message| message.tag);
        if world.has(Bug::AcknowledgedWithOpen) {
            last = others.last().map_or(last, |message| message.tag);
        }
        let is_meant = |tag| tag <= last || others.iter().any(|message| message.tag == tag);
        let gone = world.broker.acknowledge(self.queue, process, is_meant);
        world.check_acknowledged(&gone);
    }

    /// The events of messages as a batch; those of the dead-letter queue are parked, see `park_all`.
    pub(super) fn splitter(&self, events: &[(u64, Envelope)]) -> BatchSplitter {
        let received = |(_, envelope): &(u64, Envelope)| ReceivedEvent {
            envelope: envelope.clone(),
            attempts: 0,
            causes: Vec::new(),
            route: (String::new(), String::new()),
        };
        let all: Vec<ReceivedEvent> = events.iter().map(received).collect();
        let given_up = if self.queue == DEAD { all.len() } else { 0 };
        let dispositions =
            (0..given_up).map(|index| (index, Disposition::Retry(Duration::ZERO))).collect();
        BatchSplitter::new(all, dispositions)
    }
}
