//! What a consumer takes from the broker and acknowledges.

use std::time::Duration;

use envelope::Envelope;

use super::{
    broker::{DEAD, StoredMessage},
    bugs::Bug,
    delivery_buffer::DeliveryBuffer,
    queue_consumer::{Delivered, QueueConsumer},
    received::ReceivedMessages,
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

    /// Reads the positions of the queue when its consumer starts. If only the connection was lost, what the consumer knew is stored.
    /// A process leaves a queue soon after another one has taken it over.
    pub(super) fn open_positions(&mut self, world: &mut World, process: usize, connection: u32) {
        if self.queue == DEAD {
            return;
        }
        let is_taken_over = world.broker.serves_another(self.address(), process);
        if is_taken_over && (world.faults == 0 || world.random.chance(10)) {
            if let Some(mut old) = self.received.take() {
                old.store(world);
            }
            return;
        }
        if let Some(mut old) = self.received.take_if(|received| received.connection != connection) {
            old.store(world);
        }
        let load = || ReceivedMessages::load(world, self.queue, connection);
        self.received.get_or_insert_with(load);
    }

    /// The next events to process.
    pub(super) fn take(
        &mut self,
        world: &mut World,
        process: usize,
        connection: u32,
        has_messages: bool,
    ) -> Delivered {
        let most = if self.queue == DEAD { 1 } else { 1 + world.random.below(4) };
        if self.buffer.is_none() {
            let messages = self.receive(world, process, most);
            let of_one = |(tag, message): &(u64, StoredMessage)| {
                let tag = *tag;
                let events = message.events.iter();
                events.map(move |envelope| (tag, envelope.clone())).collect::<Vec<_>>()
            };
            return Delivered {
                events: messages.iter().flat_map(of_one).collect(),
                tags: messages.iter().map(|(tag, _)| *tag).collect(),
                messages: messages.into_iter().map(|(_, message)| message).collect(),
                connection,
            };
        }
        let now = world.now();
        // The broker delivers ahead, but messages may still be in flight.
        let is_needed = self.buffer.as_ref().is_some_and(DeliveryBuffer::is_empty);
        let receives = has_messages && (is_needed || world.random.chance(70));
        let messages = if receives { self.receive(world, process, most) } else { Vec::new() };
        let Some(buffer) = &mut self.buffer else { return Delivered::default() };
        for (tag, message) in messages {
            buffer.receive(tag, message, now);
        }
        let events = buffer.take(now, 1 + world.random.below(4));
        let tags = events.iter().map(|(tag, _)| *tag).collect();
        Delivered { events, tags, messages: Vec::new(), connection: buffer.connection }
    }

    /// Takes messages from the broker, and records that they have arrived.
    fn receive(
        &mut self,
        world: &mut World,
        process: usize,
        most: usize,
    ) -> Vec<(u64, StoredMessage)> {
        let messages = world.broker.take(self.address(), process, most);
        for (_, message) in &messages {
            if let Some(to) = message.addressee.filter(|to| *to != world.acting) {
                let acting = world.acting;
                world.violated(|| format!("subscriber {acting} receives what is for {to}"));
            }
            if let Some(received) = &mut self.received {
                received.arrive(world, message);
            }
        }
        messages
    }

    /// Acknowledges the messages whose events are all processed.
    pub(super) fn acknowledge(&mut self, world: &mut World, process: usize, delivered: &Delivered) {
        let Delivered { tags, messages, .. } = delivered;
        if self.queue == DEAD && !world.has(Bug::DeadLetteredIsMissing) {
            for message in messages {
                world.record_arrival(message);
            }
        }
        self.finish(messages);
        let gone = if let Some(buffer) = &mut self.buffer {
            let Finished { leading, others } =
                buffer.finish(tags, world.has(Bug::AcknowledgedWithTheFirst));
            world.coverage.of_state.between += u64::from(buffer.is_between());
            world.coverage.of_state.acknowledged_alone += u64::from(!others.is_empty());
            let mut last = leading.last().map_or(0, |message| message.tag);
            if world.has(Bug::AcknowledgedWithOpen) {
                last = others.last().map_or(last, |message| message.tag);
            }
            let is_meant = |tag| tag <= last || others.iter().any(|message| message.tag == tag);
            let finished: Vec<StoredMessage> =
                leading.iter().chain(&others).map(|one| one.message.clone()).collect();
            self.finish(&finished);
            world.broker.acknowledge(self.address(), process, is_meant)
        } else {
            let last = tags.iter().max().copied().unwrap_or_default();
            world.broker.acknowledge(self.address(), process, |tag| tag <= last)
        };
        world.check_acknowledged(&gone);
        world.remember_acknowledged(&gone);
    }

    /// Records that messages are acknowledged, whether the broker still knows them or not.
    pub(super) fn finish(&mut self, messages: &[StoredMessage]) {
        if let Some(received) = &mut self.received {
            for message in messages {
                received.finish(message);
            }
        }
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
