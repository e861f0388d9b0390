//! The only owner of a publishing channel.
//!
//! It cannot be cloned, and a single task publishes: with two tasks on one channel, lapin reports rejected
//! messages as confirmed. After any error it is dropped with its connection.

use std::{collections::HashSet, time::Duration};

use envelope::{BATCH_CONTENT_TYPE, Envelope, encode_batch};
use futures::{TryStreamExt, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Confirmation, ConnectionStatus, PublisherConfirm,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::packing::{Confirms, Message, envelope};
use crate::{
    broker::{self, Session, user_of},
    error::{Error, with_timeout},
    message_position::{self, MessagePosition, Purpose},
    queue_metrics,
    signatures::{Content, MessageSignature, Signatures},
};

/// How long a blocked connection is kept open.
const BLOCKED_TIMEOUT: Duration = Duration::from_mins(5);

/// How long a publisher waits for confirms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConfirmTimeouts {
    /// For the first one: the broker may be slow.
    pub(crate) first: Duration,
    /// For each one after another: the broker works, so a queue that does not confirm is broken.
    pub(crate) next: Duration,
}

#[derive(Debug)]
pub(crate) struct OutgoingMessage {
    pub(crate) id: Uuid,
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// Its position in its slot, unless it is no message of the log.
    pub(crate) position: Option<(MessagePosition, Purpose)>,
    /// The signature of its publisher, if the service signs its messages.
    pub(crate) signature: Option<MessageSignature>,
}

impl OutgoingMessage {
    /// Its position in its slot; 0 if it has none.
    pub(crate) fn number(&self) -> i64 {
        self.position.map_or(0, |(position, _)| position.number)
    }
}

/// The messages as they are published to the exchange of `service`, with their positions and signatures.
pub(super) fn encode(
    messages: &[Message],
    positions: &[MessagePosition],
    service: &'static str,
    signatures: &Signatures,
) -> Result<Vec<OutgoingMessage>, Error> {
    let encode = |(message, position): (&Message, &MessagePosition)| {
        let envelopes: Vec<Envelope> =
            message.rows.iter().map(|row| envelope(row, service)).collect::<Result<_, _>>()?;
        let body = encode_batch(&envelopes.iter().collect::<Vec<_>>())?;
        let content =
            Content::Events { aggregate: &message.partition.aggregate, position: *position };
        Ok(OutgoingMessage {
            id: message.id,
            exchange: service.to_owned(),
            routing_key: message.partition.to_string(),
            content_type: BATCH_CONTENT_TYPE,
            signature: signatures.sign(content, &body),
            body,
            position: Some((*position, Purpose::New)),
        })
    };
    messages.iter().zip(positions).map(encode).collect()
}

/// A connection with one channel in confirm mode.
pub(crate) struct Publisher {
    session: Session,
    status: ConnectionStatus,
    channel: Channel,
    app_id: String,
    /// The user of the connection, if it is the service's own: the broker checks it, and subscribers compare it.
    user_id: Option<String>,
}

impl Publisher {
    pub(crate) async fn connect(amqp_url: &str, service: &str) -> Result<Self, Error> {
        Self::connect_for(amqp_url, service, "publisher").await
    }

    /// Connects for another purpose than to relay the outbox. It is part of the name of the connection.
    pub(crate) async fn connect_for(
        amqp_url: &str,
        service: &str,
        purpose: &str,
    ) -> Result<Self, Error> {
        let name = format!("{service}: {purpose}");
        let mut session = Session::connect(amqp_url, &name, broker::HEARTBEAT).await?;
        let channel = session.lasting_channel().await?.clone();
        let confirm = channel.confirm_select(ConfirmSelectOptions::default());
        with_timeout("enabling publisher confirms", broker::REPLY_TIMEOUT, confirm).await?;
        let status = session.status()?;
        let user_id = user_of(amqp_url).filter(|user| user == service);
        Ok(Self { session, status, channel, app_id: service.to_owned(), user_id })
    }

    #[cfg(test)]
    const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The connection, to declare exchanges and queues.
    pub(crate) const fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The state of the connection, for checks while it publishes.
    pub(crate) fn status(&self) -> ConnectionStatus {
        self.status.clone()
    }

    /// Publishes a round of messages and waits for the confirms, until all have arrived or the next one takes too long. If
    /// messages stay unanswered, replace the connection: the broker stops reading from one that has published too much to a
    /// queue that does not confirm.
    ///
    /// During an alarm the broker reads nothing from this connection, not even `connection.close`, and it
    /// would block a new one as well. So it is kept for a while: dropping it would leak a connection each
    /// time.
    pub(crate) async fn publish(
        &mut self,
        messages: &[OutgoingMessage],
        timeouts: ConfirmTimeouts,
    ) -> Result<Confirms, Error> {
        let (status, began) = (self.status(), Instant::now());
        let mut deadline = began + timeouts.first;
        let mut confirms = FuturesUnordered::new();
        for message in messages {
            match timeout_at(deadline, self.publish_one(message)).await {
                Ok(confirm) => confirms.push(confirmation(message.id, confirm?)),
                Err(_) if status.blocked() => {}
                Err(_) => break,
            }
        }
        let mut unanswered: HashSet<Uuid> = messages.iter().map(|message| message.id).collect();
        let mut outcome = Confirms::default();
        loop {
            // lapin attaches a returned message to the next confirm, whichever it is. So returned messages are matched by id.
            let (id, confirm) = match timeout_at(deadline, confirms.try_next()).await {
                Ok(confirmed) => match confirmed? {
                    Some(confirmed) => confirmed,
                    None => break,
                },
                Err(_) if status.blocked() && began.elapsed() < BLOCKED_TIMEOUT => {
                    deadline = Instant::now() + timeouts.first;
                    continue;
                }
                Err(_) if status.blocked() => return Err(Error::Blocked),
                Err(_) => return Ok(Confirms { unanswered, ..outcome }),
            };
            deadline = Instant::now() + timeouts.next;
            unanswered.remove(&id);
            let returned = match confirm {
                Confirmation::Ack(returned) => returned,
                Confirmation::Nack(returned) => {
                    outcome.nacked.insert(id);
                    returned
                }
                Confirmation::NotRequested => return Err(Error::Unconfirmed),
            };
            outcome.returned.extend(returned.iter().filter_map(message_id));
        }
        if !unanswered.is_empty() {
            return Ok(Confirms { unanswered, ..outcome });
        }
        let late = self.channel.wait_for_confirms().await?;
        outcome.returned.extend(late.iter().filter_map(message_id));
        Ok(outcome)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that publishes")]
    async fn publish_one(
        &self,
        message: &OutgoingMessage,
    ) -> Result<lapin::PublisherConfirm, lapin::Error> {
        /// The broker writes the message to disk before it confirms.
        const PERSISTENT: u8 = 2;
        let mut headers = queue_metrics::publish_headers();
        if let Some((position, purpose)) = message.position {
            message_position::add_headers(&mut headers, position, purpose);
        }
        if let Some(signature) = &message.signature {
            signature.add_headers(&mut headers);
        }
        let mut properties = BasicProperties::default()
            .with_message_id(message.id.to_string().into())
            .with_content_type(message.content_type.into())
            .with_app_id(self.app_id.as_str().into())
            .with_delivery_mode(PERSISTENT)
            .with_headers(headers);
        if let Some(user_id) = &self.user_id {
            properties = properties.with_user_id(user_id.as_str().into());
        }
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        self.channel
            .basic_publish(
                message.exchange.as_str().into(),
                message.routing_key.as_str().into(),
                options,
                &message.body,
                properties,
            )
            .await
    }

    /// Closes the connection. All messages in flight have been confirmed before.
    pub(crate) async fn close(self) {
        self.session.close().await;
    }
}

/// The confirm of the message `id`.
async fn confirmation(
    id: Uuid,
    confirm: PublisherConfirm,
) -> Result<(Uuid, Confirmation), lapin::Error> {
    Ok((id, confirm.await?))
}

fn message_id(returned: &BasicReturnMessage) -> Option<Uuid> {
    returned.delivery.properties.message_id().as_ref()?.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::Duration};

    use lapin::{
        options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
        types::{AMQPValue, FieldTable},
    };
    use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
    use testkit::Vhost;
    use tokio::task::JoinSet;
    use uuid::Uuid;

    use super::{ConfirmTimeouts, OutgoingMessage, Publisher};

    /// Concurrent publishers, each on a connection of its own.
    const PUBLISHERS: u64 = 8;

    /// Messages per round.
    const ROUND: usize = 500;

    const EXCHANGE: &str = "mixed";

    const CONFIRM_TIMEOUTS: ConfirmTimeouts =
        ConfirmTimeouts { first: Duration::from_secs(10), next: Duration::from_secs(10) };

    /// What happens to a message.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Route {
        Bound,
        Unroutable,
        /// The queue is full and rejects the message.
        Full,
    }

    impl Route {
        const fn routing_key(self) -> &'static str {
            match self {
                Self::Bound => "bound",
                Self::Unroutable => "nowhere",
                Self::Full => "full",
            }
        }
    }

    /// Declares an exchange without an alternate exchange, a queue that accepts everything, and a full one.
    async fn declare(publisher: &Publisher) {
        let channel = publisher.channel();
        let options = ExchangeDeclareOptions::default();
        let kind = lapin::ExchangeKind::Direct;
        let none = FieldTable::default;
        channel.exchange_declare(EXCHANGE.into(), kind, options, none()).await.unwrap();
        let mut full = FieldTable::default();
        full.insert("x-max-length".into(), AMQPValue::LongInt(1));
        full.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        for (route, arguments) in [(Route::Bound, none()), (Route::Full, full)] {
            let name = route.routing_key();
            let options = QueueDeclareOptions::durable();
            channel.queue_declare(name.into(), options, arguments).await.unwrap();
            let options = QueueBindOptions::default();
            channel
                .queue_bind(name.into(), EXCHANGE.into(), name.into(), options, none())
                .await
                .unwrap();
        }
    }

    fn message(route: Route) -> OutgoingMessage {
        OutgoingMessage {
            id: Uuid::new_v4(),
            exchange: EXCHANGE.to_owned(),
            routing_key: route.routing_key().to_owned(),
            content_type: "text/plain",
            body: vec![b'x'; 64],
            position: None,
            signature: None,
        }
    }

    /// lapin alone attributes 1.6 to 2.5 % of returned messages to other ones, and confirms rejected messages
    /// if two tasks publish on one channel. `ROUNDS=250` publishes a million messages.
    #[tokio::test]
    async fn returned_and_nacked_messages_are_identified_exactly() {
        let rounds = std::env::var("ROUNDS").map_or(12, |rounds| rounds.parse().unwrap());
        let vhost = Vhost::create().await.unwrap();
        let mut first = Publisher::connect(vhost.url(), "test").await.unwrap();
        declare(&first).await;
        // The first message fills the queue.
        first.publish(&[message(Route::Full)], CONFIRM_TIMEOUTS).await.unwrap();
        let mut publishers = JoinSet::new();
        for seed in 0..PUBLISHERS {
            let url = vhost.url().to_owned();
            publishers.spawn(async move {
                let mut publisher = Publisher::connect(&url, "test").await.unwrap();
                let mut random = StdRng::seed_from_u64(seed);
                for _ in 0..rounds {
                    publish_mixed(&mut publisher, &mut random).await;
                }
                publisher.close().await;
            });
        }
        while let Some(published) = publishers.join_next().await {
            published.unwrap();
        }
        first.close().await;
    }

    /// Publishes a round with one unroutable and one rejected message in fifty, and checks the confirms.
    async fn publish_mixed(publisher: &mut Publisher, random: &mut StdRng) {
        let routes: Vec<Route> = (0..ROUND)
            .map(|_| match random.random_range(0..100) {
                0 | 1 => Route::Unroutable,
                2 | 3 => Route::Full,
                _ => Route::Bound,
            })
            .collect();
        let messages: Vec<OutgoingMessage> = routes.iter().copied().map(message).collect();
        let confirms = publisher.publish(&messages, CONFIRM_TIMEOUTS).await.unwrap();
        let of = |wanted: Route| -> HashSet<Uuid> {
            let all = messages.iter().zip(&routes);
            all.filter(|(_, route)| **route == wanted).map(|(message, _)| message.id).collect()
        };
        assert_eq!(confirms.returned, of(Route::Unroutable));
        assert_eq!(confirms.nacked, of(Route::Full));
    }
}
