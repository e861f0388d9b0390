//! What a lane has in hand: messages that the broker has given it and that are not acknowledged yet.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use envelope::Priority;
use futures::{FutureExt, StreamExt, future::try_join_all};
use lapin::{Consumer, message::Delivery, options::BasicAckOptions};

use super::{
    Part, Taken,
    dispatch::{Dispatch, Dispatcher},
    parts, take,
};
use crate::{
    Error,
    adaptive::Limit,
    broker,
    error::within,
    queues::{Reading, published_at},
    topology::Guard,
};

/// How many messages the broker hands out to a lane that takes them in their order: enough for the next batch.
const IN_ORDER: u16 = 96;

/// How many it hands out where they are taken in another order: as far as that order reaches. A message is at most 128 KiB unless it is a
/// single larger event of up to 1 MiB: messages of 64 events of half a kibibyte come to 32 MiB, full messages to 128 MiB.
const REORDERED: u16 = 1024;

/// How many bytes of messages are read into events ahead of their turn. The rest stay as they came.
const READ_AHEAD: usize = 32 * 1024 * 1024;

/// How many bytes of messages are read into events before a batch is taken: it must not wait until all is read.
const READ_AT_ONCE: usize = 2 * 1024 * 1024;

/// How many messages the broker is to hand out to a lane.
pub(crate) const fn prefetch(guard: Guard) -> u16 {
    match guard {
        Guard::Cursors(_) | Guard::Newest(Dispatch::Fifo) => IN_ORDER,
        Guard::Newest(Dispatch::PriorityClasses { .. } | Dispatch::FreshestFirst { .. }) => {
            REORDERED
        }
    }
}

/// What a lane has in hand, and in which order it takes it.
pub(super) enum Hand {
    /// Whole messages, as they come.
    InOrder(InOrder),
    /// Event by event, in an order of our own.
    Reordered(Reordered),
}

/// What is taken together.
pub(super) enum Turn {
    /// Whole messages.
    Messages(Taken),
    /// Events, each with the tag of its message.
    Events(Vec<(u64, Part)>, Reading),
}

impl Hand {
    /// An empty hand. `consumer` hears nothing but `aggregate`.
    pub(super) fn new(
        guard: Guard,
        deliveries: Consumer,
        limit: Limit,
        consumer: &str,
        aggregate: &'static str,
    ) -> Self {
        match guard {
            Guard::Cursors(_) | Guard::Newest(Dispatch::Fifo) => {
                Self::InOrder(InOrder { deliveries, limit })
            }
            Guard::Newest(dispatch) => Self::Reordered(Reordered {
                deliveries,
                limit,
                consumer: consumer.to_owned(),
                aggregate,
                waiting: Dispatcher::new(dispatch),
                open: BTreeMap::new(),
                bytes: 0,
                emptied: false,
                ended: false,
            }),
        }
    }

    /// What is to be processed next; waits until there is something. Dropped while it waits, it loses nothing.
    pub(super) async fn next(&mut self, queue: &str) -> Result<Turn, Error> {
        match self {
            Self::InOrder(InOrder { deliveries, limit }) => {
                let first = deliveries.next().await;
                take(first, deliveries, queue, limit.get()).map(Turn::Messages)
            }
            Self::Reordered(hand) => {
                let events = hand.next(queue).await?;
                let reading = hand.reading(&events);
                Ok(Turn::Events(events, reading))
            }
        }
    }

    /// How many messages are in hand while `turn` is processed.
    pub(super) fn messages(&self, turn: &Turn) -> usize {
        match (self, turn) {
            (_, Turn::Messages(taken)) => taken.deliveries.len(),
            (Self::Reordered(hand), Turn::Events(..)) => hand.open.len(),
            (Self::InOrder(_), Turn::Events(..)) => 0,
        }
    }

    /// All of `turn` is committed, which took so long: its messages are acknowledged as far as nothing else of them is in hand. Says how
    /// many were.
    pub(super) async fn done(
        &mut self,
        turn: Turn,
        took: Duration,
        queue: &str,
    ) -> Result<usize, Error> {
        match (self, turn) {
            (Self::InOrder(InOrder { limit, .. }), Turn::Messages(taken)) => {
                limit.observe(taken.events, took);
                taken.acknowledge(queue).await?;
                Ok(taken.deliveries.len())
            }
            (Self::Reordered(hand), Turn::Events(events, _)) => {
                hand.limit.observe(events.len(), took);
                hand.done(&events, queue).await
            }
            _ => Ok(0),
        }
    }
}

/// Messages that are taken as they come.
pub(super) struct InOrder {
    deliveries: Consumer,
    limit: Limit,
}

/// Messages whose events are taken in an order of our own.
pub(super) struct Reordered {
    deliveries: Consumer,
    limit: Limit,
    consumer: String,
    aggregate: &'static str,
    waiting: Dispatcher<(u64, Part)>,
    /// The messages that are not acknowledged, by their tags.
    open: BTreeMap<u64, Open>,
    /// How many bytes of messages are in `open`.
    bytes: usize,
    /// Whether a message without any events has come, which nothing but a turn of nothing acknowledges.
    emptied: bool,
    /// Whether the broker has ended the consumer: what is in hand can still be acknowledged, and nothing more comes.
    ended: bool,
}

/// A message that is not acknowledged.
struct Open {
    /// Without its body, which has become events.
    delivery: Delivery,
    bytes: usize,
    /// How many of its events are not dealt with.
    left: usize,
}

impl Reordered {
    async fn next(&mut self, queue: &str) -> Result<Vec<(u64, Part)>, Error> {
        loop {
            let enough = READ_AHEAD.min(self.bytes + READ_AT_ONCE);
            while self.bytes < enough && !self.ended {
                match self.deliveries.next().now_or_never() {
                    Some(Some(Ok(delivery))) => self.receive(delivery)?,
                    Some(Some(Err(_)) | None) => self.ended = true,
                    None => break,
                }
            }
            let taken = self.waiting.take(now(), self.limit.get());
            if !taken.is_empty() || self.emptied {
                return Ok(taken);
            }
            if self.ended {
                return Err(Error::ConsumerEnded(queue.to_owned()));
            }
            match self.deliveries.next().await {
                Some(Ok(delivery)) => self.receive(delivery)?,
                Some(Err(_)) | None => self.ended = true,
            }
        }
    }

    fn receive(&mut self, mut delivery: Delivery) -> Result<(), Error> {
        let parts = parts(&self.consumer, &delivery, &|aggregate| aggregate == self.aggregate)?;
        let (tag, left, bytes) = (delivery.delivery_tag, parts.len(), delivery.data.len());
        let now = now();
        for part in parts {
            let (priority, said) = part.as_ref().map_or((Priority::Normal, now), |incoming| {
                (incoming.envelope.priority, incoming.envelope.time)
            });
            self.waiting.push((tag, part), priority, said, now);
        }
        self.emptied |= left == 0;
        self.bytes += bytes;
        delivery.data.clear();
        delivery.data.shrink_to_fit();
        self.open.insert(tag, Open { delivery, bytes, left });
        Ok(())
    }

    /// When the events were said, and when they were published.
    fn reading(&self, events: &[(u64, Part)]) -> Reading {
        let mut reading = Reading::default();
        for (tag, part) in events {
            let published = self.open.get(tag).and_then(|message| published_at(&message.delivery));
            reading.add(published, part.as_ref().ok());
        }
        reading
    }

    async fn done(&mut self, events: &[(u64, Part)], queue: &str) -> Result<usize, Error> {
        for (tag, _) in events {
            if let Some(message) = self.open.get_mut(tag) {
                message.left -= 1;
            }
        }
        self.emptied = false;
        let all_done = |message: &Open| message.left == 0;
        let Settled { first, others } = settle(&mut self.open, all_done);
        self.bytes -= first.iter().chain(&others).map(|message| message.bytes).sum::<usize>();
        let first_count = first.len();
        // One acknowledgement for the beginning, one for each of the others, and all on their way before the first is awaited.
        let first = first.last().map(|message| (message, true));
        let all = first.into_iter().chain(others.iter().map(|message| (message, false)));
        let acks =
            all.map(|(message, multiple)| message.delivery.ack(BasicAckOptions { multiple }));
        within("acknowledging", broker::ANSWER, try_join_all(acks)).await?;
        let acknowledged = first_count + others.len();
        if self.ended { Err(Error::ConsumerEnded(queue.to_owned())) } else { Ok(acknowledged) }
    }
}

/// Messages that can be acknowledged.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settled<T> {
    /// Those before which nothing is open, in order: the last of them stands for all.
    pub(crate) first: Vec<T>,
    /// Those behind one that is still open.
    pub(crate) others: Vec<T>,
}

/// Takes out what is done. It looks at all that is open, which is no more than the broker hands out ahead.
pub(crate) fn settle<T>(open: &mut BTreeMap<u64, T>, is_done: impl Fn(&T) -> bool) -> Settled<T> {
    let mut first = Vec::new();
    while let Some(entry) = open.first_entry().filter(|entry| is_done(entry.get())) {
        first.push(entry.remove());
    }
    let others = open.extract_if(.., |_, message| is_done(message)).map(|(_, message)| message);
    Settled { first, others: others.collect() }
}

fn now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Settled, settle};

    #[test]
    fn only_what_nothing_open_stands_before_is_acknowledged_together() {
        let mut open: BTreeMap<u64, (u64, bool)> =
            [(1, true), (2, true), (3, false), (5, true), (8, false), (9, true)]
                .into_iter()
                .map(|(tag, done)| (tag, (tag, done)))
                .collect();
        let Settled { first, others } = settle(&mut open, |(_, done)| *done);
        let tags = |messages: Vec<(u64, bool)>| {
            messages.into_iter().map(|(tag, _)| tag).collect::<Vec<_>>()
        };
        assert_eq!((tags(first), tags(others)), (vec![1, 2], vec![5, 9]));
        assert_eq!(open.keys().copied().collect::<Vec<_>>(), [3, 8]);
    }
}
