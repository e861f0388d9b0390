//! Brings events back that no binding matched.
//!
//! A publisher that starts before its subscribers, or whose exchange was deleted with its bindings, publishes to an exchange without
//! bindings. The alternate exchange keeps these events in `<service>.unrouted`. When the bindings exist, they are published again: no
//! subscriber has had them, and those behind them in the order of their key wait for them.

use std::{mem, time::Duration};

use envelope::BATCH_CONTENT_TYPE;
use lapin::{
    Channel,
    options::{BasicAckOptions, BasicNackOptions},
};
use uuid::Uuid;

use crate::{
    broker::{self, Channels, REPLY_TIMEOUT, Session, depth},
    error::{Error, with_timeout},
    message_position::{Purpose, of_delivery},
    naming::unrouted,
    publish::publisher::{ConfirmTimeouts, OutgoingMessage, Publisher},
    signatures::MessageSignature,
};

/// The most messages that are published before checking whether any has left.
const ROUND: u32 = 256;

/// How long a round waits for its confirms.
const CONFIRM_TIMEOUTS: ConfirmTimeouts =
    ConfirmTimeouts { first: Duration::from_secs(10), next: Duration::from_secs(10) };

/// What became of the events that were in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Republished {
    /// The messages that were published again.
    pub(crate) messages: u32,
    /// The messages in the queue afterwards.
    pub(crate) unrouted: u32,
}

/// Publishes the events of a service again that no binding matched.
///
/// Each is removed from its queue after its confirm, so an interruption loses nothing. What still matches no binding returns to the
/// queue; it ends when a whole round has returned, or when all that were there have been published once.
pub(crate) async fn republish(amqp_url: &str, service: &str) -> Result<Republished, Error> {
    let name = format!("{service}: unrouted events");
    let session = Session::connect(amqp_url, &name, broker::HEARTBEAT).await?;
    let republished = republish_on(&session.channels()?, amqp_url, service).await;
    session.close().await;
    republished
}

/// The same on an open connection. It publishes on another one.
pub(crate) async fn republish_on(
    channels: &Channels,
    amqp_url: &str,
    service: &str,
) -> Result<Republished, Error> {
    let queue = unrouted(service);
    let ready =
        async || Ok::<_, Error>(depth(channels, &queue).await?.map_or(0, |(ready, _)| ready));
    let mut result = Republished { messages: 0, unrouted: ready().await? };
    let waiting = result.unrouted;
    if waiting == 0 {
        return Ok(result);
    }
    let mut publisher = Publisher::connect(amqp_url, service).await?;
    let channel = channels.open().await?;
    while result.messages < waiting {
        let before = result.unrouted;
        let round = ROUND.min(waiting - result.messages);
        let published = republish_round(&channel, &mut publisher, service, &queue, round).await?;
        result = Republished { messages: result.messages + published, unrouted: ready().await? };
        if published == 0 || result.unrouted >= before {
            break;
        }
    }
    broker::close_channel(&channel).await?;
    publisher.close().await;
    Ok(result)
}

/// The purpose of a message that is published again: an answer without events stays one.
const fn again(purpose: Purpose) -> Purpose {
    match purpose {
        Purpose::New | Purpose::Again | Purpose::Reminder => Purpose::Again,
        Purpose::Absent { .. } => purpose,
    }
}

/// Publishes up to `limit` messages, waits for the confirms, and removes the messages. Returns how many.
async fn republish_round(
    channel: &Channel,
    publisher: &mut Publisher,
    service: &str,
    queue: &str,
    limit: u32,
) -> Result<u32, Error> {
    let (mut messages, mut last, mut taken) = (Vec::new(), None, 0);
    while taken < limit
        && let Some(mut delivery) = broker::get(channel, queue).await?
    {
        let arrived = of_delivery(&delivery);
        let is_reminder =
            arrived.as_ref().is_some_and(|arrived| arrived.purpose == Purpose::Reminder);
        // The message itself is in the queue as well.
        if !is_reminder {
            messages.push(OutgoingMessage {
                id: Uuid::new_v4(),
                exchange: service.to_owned(),
                routing_key: delivery.routing_key.to_string(),
                content_type: BATCH_CONTENT_TYPE,
                // Of the one who has published it: whatever else is in this queue must not be signed by this service.
                signature: MessageSignature::of_delivery(&delivery),
                body: mem::take(&mut delivery.data),
                position: arrived.map(|arrived| (arrived.position, again(arrived.purpose))),
            });
        }
        last = Some(delivery);
        taken += 1;
    }
    let Some(last) = last else { return Ok(0) };
    let confirms = publisher.publish(&messages, CONFIRM_TIMEOUTS).await?;
    if !messages.iter().all(|message| confirms.is_stored(message.id)) {
        // Subscribers ignore the copies of those that were stored.
        let back = last.nack(BasicNackOptions { multiple: true, requeue: true });
        with_timeout("returning messages", REPLY_TIMEOUT, back).await?;
        return Err(Error::Unconfirmed);
    }
    let acknowledged = last.ack(BasicAckOptions { multiple: true });
    with_timeout("acknowledging messages", REPLY_TIMEOUT, acknowledged).await?;
    Ok(taken)
}
