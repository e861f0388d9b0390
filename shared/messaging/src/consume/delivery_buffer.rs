//! The delivery buffer of a queue consumer: unacknowledged messages, and the order in which they are processed.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use envelope::Priority;
use futures::{FutureExt, StreamExt, future::try_join_all};
use lapin::{Consumer, message::Delivery, options::BasicAckOptions};

use super::{
    deliveries::{DeliveryBatch, collect_batch},
    dispatch::{Dispatch, Dispatcher},
    message_reader::{MessageReader, Part, ReadMessage},
    received_messages::ReceivedMessages,
    subscription::Ordering,
};
use crate::{
    batch_size::BatchLimit,
    broker,
    error::{Error, with_timeout},
    message_position::ArrivedPosition,
    queue_metrics::{EventTimes, published_at},
};

/// The prefetch for processing in order of arrival: enough messages for the next batch.
const SEQUENTIAL_PREFETCH: u16 = 96;

/// The prefetch for reordering: the range of the dispatch order. A message has at most 128 KiB unless it is a single larger event of
/// up to 1 MiB. Messages with 64 events of half a KiB add up to 32 MiB, full messages to 128 MiB.
const REORDERING_PREFETCH: u16 = 1024;

/// How many bytes of messages are decoded ahead of their processing. The rest stays encoded.
const READ_AHEAD_BYTES: usize = 32 * 1024 * 1024;

/// How many bytes of messages are decoded before a batch is dispatched: a batch must not wait until everything is decoded.
const READ_STEP_BYTES: usize = 2 * 1024 * 1024;

/// The prefetch of a queue consumer.
pub(super) const fn prefetch(ordering: Ordering) -> u16 {
    match ordering {
        Ordering::Sequenced(_) | Ordering::LatestWins(Dispatch::Fifo) => SEQUENTIAL_PREFETCH,
        Ordering::LatestWins(Dispatch::PriorityClasses { .. } | Dispatch::FreshestFirst { .. }) => {
            REORDERING_PREFETCH
        }
    }
}

/// The unacknowledged messages of a queue consumer.
pub(super) enum DeliveryBuffer {
    /// Processes whole messages in order of arrival.
    Sequential(SequentialBuffer),
    /// Processes single events in a dispatch order.
    Reordering(ReorderingBuffer),
}

/// What is processed together.
pub(super) enum WorkItem {
    Messages(ReadBatch),
    /// Events with the delivery tags of their messages.
    Events(Vec<(u64, Part)>, EventTimes),
}

/// Deliveries with what was read of them.
pub(super) struct ReadBatch {
    pub(super) batch: DeliveryBatch,
    /// In the order of the deliveries.
    pub(super) messages: Vec<ReadMessage>,
}

impl DeliveryBuffer {
    /// An empty buffer.
    pub(super) fn new(
        ordering: Ordering,
        deliveries: Consumer,
        limit: BatchLimit,
        reader: MessageReader,
    ) -> Self {
        match ordering {
            Ordering::Sequenced(_) | Ordering::LatestWins(Dispatch::Fifo) => {
                Self::Sequential(SequentialBuffer { deliveries, limit, reader })
            }
            Ordering::LatestWins(dispatch) => Self::Reordering(ReorderingBuffer {
                deliveries,
                limit,
                reader,
                waiting: Dispatcher::new(dispatch),
                open: BTreeMap::new(),
                bytes: 0,
                has_empty_message: false,
                is_cancelled: false,
            }),
        }
    }

    /// Waits for the next work item. It is cancel-safe.
    pub(super) async fn next(
        &mut self,
        queue: &str,
        received: &mut ReceivedMessages<'_>,
    ) -> Result<WorkItem, Error> {
        match self {
            Self::Sequential(SequentialBuffer { deliveries, limit, reader }) => {
                let first = deliveries.next().await;
                let mut batch = collect_batch(first, deliveries, queue, limit.get())?;
                let mut messages = Vec::with_capacity(batch.deliveries.len());
                for delivery in &mut batch.deliveries {
                    let message = reader.read(delivery)?;
                    received.arrive(message.position.as_ref());
                    // It has been decoded.
                    delivery.data = Vec::new();
                    messages.push(message);
                }
                Ok(WorkItem::Messages(ReadBatch { batch, messages }))
            }
            Self::Reordering(buffer) => {
                let events = buffer.next(queue, received).await?;
                let times = buffer.times(&events);
                Ok(WorkItem::Events(events, times))
            }
        }
    }

    /// The number of unacknowledged messages while `item` is processed.
    pub(super) fn messages(&self, item: &WorkItem) -> usize {
        match (self, item) {
            (_, WorkItem::Messages(read)) => read.messages.len(),
            (Self::Reordering(buffer), WorkItem::Events(..)) => buffer.open.len(),
            (Self::Sequential(_), WorkItem::Events(..)) => 0,
        }
    }

    /// Records that `item` is committed, which took `took`, and acknowledges the messages without remaining events. Returns their
    /// number.
    pub(super) async fn finish(
        &mut self,
        item: WorkItem,
        took: Duration,
        queue: &str,
        received: &mut ReceivedMessages<'_>,
    ) -> Result<usize, Error> {
        match (self, item) {
            (
                Self::Sequential(SequentialBuffer { limit, .. }),
                WorkItem::Messages(ReadBatch { batch, messages }),
            ) => {
                limit.observe(batch.events, took);
                for message in &messages {
                    received.finish(message.position.as_ref());
                }
                batch.acknowledge(queue).await?;
                Ok(batch.deliveries.len())
            }
            (Self::Reordering(buffer), WorkItem::Events(events, _)) => {
                buffer.limit.observe(events.len(), took);
                buffer.finish(&events, queue, received).await
            }
            _ => Ok(0),
        }
    }
}

pub(super) struct SequentialBuffer {
    deliveries: Consumer,
    limit: BatchLimit,
    reader: MessageReader,
}

pub(super) struct ReorderingBuffer {
    deliveries: Consumer,
    limit: BatchLimit,
    reader: MessageReader,
    waiting: Dispatcher<(u64, Part)>,
    /// The unacknowledged messages by delivery tag.
    open: BTreeMap<u64, OpenMessage>,
    /// The size of the messages in `open`.
    bytes: usize,
    /// Whether a message without events has arrived. Only an empty work item acknowledges it.
    has_empty_message: bool,
    /// Whether the broker cancelled the consumer. Buffered messages can still be acknowledged.
    is_cancelled: bool,
}

/// An unacknowledged message.
struct OpenMessage {
    /// Without its body, which has been decoded.
    delivery: Delivery,
    position: Option<ArrivedPosition>,
    bytes: usize,
    /// The number of its events that are not processed yet.
    remaining: usize,
}

impl ReorderingBuffer {
    async fn next(
        &mut self,
        queue: &str,
        received: &mut ReceivedMessages<'_>,
    ) -> Result<Vec<(u64, Part)>, Error> {
        loop {
            let enough = READ_AHEAD_BYTES.min(self.bytes + READ_STEP_BYTES);
            while self.bytes < enough && !self.is_cancelled {
                match self.deliveries.next().now_or_never() {
                    Some(Some(Ok(delivery))) => self.receive(delivery, received)?,
                    Some(Some(Err(_)) | None) => self.is_cancelled = true,
                    None => break,
                }
            }
            let batch = self.waiting.take(now(), self.limit.get());
            if !batch.is_empty() || self.has_empty_message {
                return Ok(batch);
            }
            if self.is_cancelled {
                return Err(Error::ConsumerCancelled(queue.to_owned()));
            }
            match self.deliveries.next().await {
                Some(Ok(delivery)) => self.receive(delivery, received)?,
                Some(Err(_)) | None => self.is_cancelled = true,
            }
        }
    }

    fn receive(
        &mut self,
        mut delivery: Delivery,
        received: &mut ReceivedMessages<'_>,
    ) -> Result<(), Error> {
        let ReadMessage { position, parts } = self.reader.read(&delivery)?;
        received.arrive(position.as_ref());
        let (tag, remaining, bytes) = (delivery.delivery_tag, parts.len(), delivery.data.len());
        let now = now();
        for part in parts {
            let (priority, emitted) = part.as_ref().map_or((Priority::Normal, now), |event| {
                (event.envelope.priority, event.envelope.time)
            });
            self.waiting.push((tag, part), priority, emitted, now);
        }
        self.has_empty_message |= remaining == 0;
        self.bytes += bytes;
        delivery.data = Vec::new();
        self.open.insert(tag, OpenMessage { delivery, position, bytes, remaining });
        Ok(())
    }

    /// When the events were emitted and published.
    fn times(&self, events: &[(u64, Part)]) -> EventTimes {
        let mut times = EventTimes::default();
        for (tag, part) in events {
            let published = self.open.get(tag).and_then(|message| published_at(&message.delivery));
            times.add(published, part.as_ref().ok().map(|event| event.envelope.time));
        }
        times
    }

    async fn finish(
        &mut self,
        events: &[(u64, Part)],
        queue: &str,
        received: &mut ReceivedMessages<'_>,
    ) -> Result<usize, Error> {
        for (tag, _) in events {
            if let Some(message) = self.open.get_mut(tag) {
                message.remaining -= 1;
            }
        }
        self.has_empty_message = false;
        let is_finished = |message: &OpenMessage| message.remaining == 0;
        let Finished { leading, others } = take_finished(&mut self.open, is_finished);
        self.bytes -= leading.iter().chain(&others).map(|message| message.bytes).sum::<usize>();
        for message in leading.iter().chain(&others) {
            received.finish(message.position.as_ref());
        }
        let leading_count = leading.len();
        // One acknowledgement for all leading messages, one for each other; all are sent before the first is awaited.
        let leading = leading.last().map(|message| (message, true));
        let all = leading.into_iter().chain(others.iter().map(|message| (message, false)));
        let acks =
            all.map(|(message, multiple)| message.delivery.ack(BasicAckOptions { multiple }));
        with_timeout("acknowledging", broker::REPLY_TIMEOUT, try_join_all(acks)).await?;
        let acknowledged = leading_count + others.len();
        if self.is_cancelled {
            Err(Error::ConsumerCancelled(queue.to_owned()))
        } else {
            Ok(acknowledged)
        }
    }
}

/// Messages that can be acknowledged.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finished<T> {
    /// Messages without an open message before them, in order: acknowledged together through the last one.
    pub(crate) leading: Vec<T>,
    /// Messages behind an open one.
    pub(crate) others: Vec<T>,
}

/// Removes the finished messages. It visits all open messages, of which there are no more than the prefetch.
pub(crate) fn take_finished<T>(
    open: &mut BTreeMap<u64, T>,
    is_finished: impl Fn(&T) -> bool,
) -> Finished<T> {
    let mut leading = Vec::new();
    while let Some(entry) = open.first_entry().filter(|entry| is_finished(entry.get())) {
        leading.push(entry.remove());
    }
    let others = open.extract_if(.., |_, message| is_finished(message)).map(|(_, message)| message);
    Finished { leading, others: others.collect() }
}

fn now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Finished, take_finished};

    #[test]
    fn messages_before_the_first_open_one_are_acknowledged_together() {
        let mut open: BTreeMap<u64, (u64, bool)> =
            [(1, true), (2, true), (3, false), (5, true), (8, false), (9, true)]
                .into_iter()
                .map(|(tag, is_finished)| (tag, (tag, is_finished)))
                .collect();
        let Finished { leading, others } = take_finished(&mut open, |(_, finished)| *finished);
        let tags = |messages: Vec<(u64, bool)>| {
            messages.into_iter().map(|(tag, _)| tag).collect::<Vec<_>>()
        };
        assert_eq!((tags(leading), tags(others)), (vec![1, 2], vec![5, 9]));
        assert_eq!(open.keys().copied().collect::<Vec<_>>(), [3, 8]);
    }
}
