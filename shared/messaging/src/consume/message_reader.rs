//! Reads messages: who has published them, and the events that they carry.

use envelope::{DecodeError, Envelope, decode_parts};
use lapin::message::Delivery;

use super::{
    dead_letter::UnreadableMessage, received_event::ReceivedEvent, subscription::Subscription,
};
use crate::{
    error::{Error, causes},
    message_position::{ArrivedPosition, Purpose, of_delivery},
    provenance::{self, FOREIGN_PUBLISHER, FOREIGN_SOURCE, Path, Refusal},
    signatures::{Content, Signatures},
};

/// A part of a message: an event, or an unreadable part with the exchange and routing key of the message.
pub(crate) type Part = Result<ReceivedEvent, ((String, String), UnreadableMessage)>;

/// A message that was read. If it is refused, its only part is unreadable: the whole message.
pub(crate) struct ReadMessage {
    /// Its position; none if the message is refused, or if its publisher does not number its messages.
    pub(crate) position: Option<ArrivedPosition>,
    pub(crate) parts: Vec<Part>,
}

/// Reads the messages of one queue.
#[derive(Debug, Clone)]
pub(crate) struct MessageReader {
    /// The name for which unreadable messages are recorded.
    consumer: String,
    /// The aggregates of the queue, each with its publishers.
    aggregates: Vec<(&'static str, Vec<&'static str>)>,
    /// The queue from which the messages come.
    queue: String,
    path: Path,
    signatures: Signatures,
}

impl MessageReader {
    /// Reads the messages of a queue of `subscription`.
    pub(crate) fn of_queue(
        consumer: &str,
        queue: &str,
        subscription: &Subscription,
        signatures: &Signatures,
    ) -> Self {
        Self {
            consumer: consumer.to_owned(),
            aggregates: aggregates(std::slice::from_ref(subscription)),
            queue: queue.to_owned(),
            path: Path::Published,
            signatures: signatures.clone(),
        }
    }

    /// Reads the messages that the broker has dead-lettered from all queues of a service.
    pub(super) fn of_dead_queue(
        queue: &str,
        subscriptions: &[Subscription],
        signatures: &Signatures,
    ) -> Self {
        Self {
            consumer: queue.to_owned(),
            aggregates: aggregates(subscriptions),
            queue: queue.to_owned(),
            path: Path::DeadLettered,
            signatures: signatures.clone(),
        }
    }

    /// Splits a message into events. Parts that cannot be decoded, or belong to an aggregate without a subscription, are unreadable. If
    /// the message does not belong to a publisher of the subscription, nothing of it is believed.
    pub(crate) fn read(&self, delivery: &Delivery) -> Result<ReadMessage, Error> {
        let refuse = |refusal| {
            let parts = vec![refused(delivery, refusal)];
            Ok(ReadMessage { position: None, parts })
        };
        let publisher = match self.publisher(delivery) {
            Ok(publisher) => publisher,
            Err(refusal) => return refuse(refusal),
        };
        let arrived = of_delivery(delivery);
        let position =
            arrived.map(|arrived| ArrivedPosition { publisher: publisher.to_owned(), ..arrived });
        let is_absent =
            |arrived: &ArrivedPosition| matches!(arrived.purpose, Purpose::Absent { .. });
        if self.path == Path::DeadLettered && position.as_ref().is_some_and(is_absent) {
            // It has no events, and was for another queue. Its request is repeated.
            return Ok(ReadMessage { position: None, parts: Vec::new() });
        }
        if let Err(refusal) = self.check_signature(publisher, position.as_ref(), delivery) {
            return refuse(refusal);
        }
        match self.parts(delivery, publisher)? {
            Ok(parts) => Ok(ReadMessage { position, parts }),
            Err(refusal) => refuse(refusal),
        }
    }

    /// Checks that the publisher has signed the message, for this position of an aggregate of the queue.
    fn check_signature(
        &self,
        publisher: &str,
        position: Option<&ArrivedPosition>,
        delivery: &Delivery,
    ) -> Result<(), Refusal> {
        let aggregates = self.aggregates.iter().filter(|(_, names)| names.contains(&publisher));
        let contents = aggregates.filter_map(|(aggregate, _)| {
            let ArrivedPosition { position, purpose, .. } = position?;
            Some(Content::of_position(aggregate, *position, *purpose, &self.queue))
        });
        self.signatures.verify(publisher, contents, delivery)
    }

    /// The publisher of a message, if the queue is for its messages.
    fn publisher<'a>(&self, delivery: &'a Delivery) -> Result<&'a str, Refusal> {
        let publisher = provenance::publisher(delivery, self.path)?;
        let mut publishers = self.aggregates.iter().flat_map(|(_, publishers)| publishers);
        if publishers.any(|one| *one == publisher) {
            Ok(publisher)
        } else {
            let cause = format!("{} is not subscribed to {publisher}", self.consumer);
            Err(Refusal::new(FOREIGN_PUBLISHER, cause))
        }
    }

    fn parts(
        &self,
        delivery: &Delivery,
        publisher: &str,
    ) -> Result<Result<Vec<Part>, Refusal>, Error> {
        let route = (delivery.exchange.to_string(), delivery.routing_key.to_string());
        let mut parts = Vec::new();
        for part in decode_parts(&delivery.data) {
            parts.push(match part {
                Ok(envelope) => {
                    if let Some(refusal) = self.foreign(&envelope, publisher) {
                        return Ok(Err(refusal));
                    }
                    self.event(envelope, route.clone())?
                }
                Err((error, payload)) => Err((route.clone(), undecodable(&error, payload))),
            });
        }
        Ok(Ok(parts))
    }

    /// Why an event cannot be of this publisher.
    fn foreign(&self, envelope: &Envelope, publisher: &str) -> Option<Refusal> {
        let Envelope { source, aggregate, id, .. } = envelope;
        if source != publisher {
            let cause = format!("the event {id} has the source {source}, but is of {publisher}");
            return Some(Refusal::new(FOREIGN_SOURCE, cause));
        }
        let publishers = self.publishers(aggregate)?;
        (!publishers.contains(&publisher)).then(|| {
            let cause =
                format!("{} is not subscribed to {aggregate} of {publisher}", self.consumer);
            Refusal::new(FOREIGN_PUBLISHER, cause)
        })
    }

    fn publishers(&self, aggregate: &str) -> Option<&[&'static str]> {
        let mut aggregates = self.aggregates.iter();
        let (_, publishers) = aggregates.find(|(name, _)| *name == aggregate)?;
        Some(publishers)
    }

    fn event(&self, envelope: Envelope, route: (String, String)) -> Result<Part, Error> {
        if self.publishers(&envelope.aggregate).is_some() {
            return Ok(Ok(ReceivedEvent { envelope, attempts: 0, causes: Vec::new(), route }));
        }
        let causes = vec![format!("{} is not subscribed to {}", self.consumer, envelope.aggregate)];
        let payload = serde_json::to_vec(&envelope)?;
        Ok(Err((route, UnreadableMessage { reason: "foreign_aggregate", causes, payload })))
    }
}

fn undecodable(error: &DecodeError, payload: Vec<u8>) -> UnreadableMessage {
    UnreadableMessage { reason: "undecodable", causes: causes(error), payload }
}

/// A refused message, as its only part.
fn refused(delivery: &Delivery, Refusal { reason, cause }: Refusal) -> Part {
    let route = (delivery.exchange.to_string(), delivery.routing_key.to_string());
    let payload = delivery.data.clone();
    Err((route, UnreadableMessage { reason, causes: vec![cause], payload }))
}

/// The aggregates of subscriptions, each with its publishers.
fn aggregates(subscriptions: &[Subscription]) -> Vec<(&'static str, Vec<&'static str>)> {
    let aggregate = |subscription: &Subscription| {
        (subscription.aggregate(), subscription.publishers().to_vec())
    };
    subscriptions.iter().map(aggregate).collect()
}
