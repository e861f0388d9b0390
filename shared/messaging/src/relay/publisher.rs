//! The one owner of the publishing channel.
//!
//! It cannot be cloned and publishes from one task alone: with two tasks on one channel, lapin reports rejected messages
//! as confirmed. After any error it is thrown away with its connection.

use std::{pin::pin, time::Duration};

use futures::future::try_join_all;
use lapin::{
    BasicProperties, Channel, Confirmation, ConnectionStatus,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::time::Instant;
use uuid::Uuid;

use super::core::Answers;
use crate::{
    Error,
    broker::{self, Session},
    error::within,
    queues,
};

/// How long a whole round of messages may take to be confirmed.
const ROUND: Duration = Duration::from_secs(10);

/// How long a connection is kept from which the broker reads nothing.
const BLOCKED: Duration = Duration::from_mins(5);

/// A message as it goes onto the wire.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) id: Uuid,
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

/// A connection with one channel in confirm mode.
pub(crate) struct Publisher {
    session: Session,
    status: ConnectionStatus,
    channel: Channel,
    app_id: String,
}

impl Publisher {
    pub(crate) async fn connect(amqp_url: &str, service: &str) -> Result<Self, Error> {
        let name = format!("{service}: publisher");
        let mut session = Session::connect(amqp_url, &name, broker::HEARTBEAT).await?;
        let channel = session.lasting_channel().await?.clone();
        let confirm = channel.confirm_select(ConfirmSelectOptions::default());
        within("selecting confirms", broker::ANSWER, confirm).await?;
        let status = session.status()?;
        Ok(Self { session, status, channel, app_id: service.to_owned() })
    }

    pub(crate) const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Its connection, for what is declared beside the publishing channel.
    pub(crate) const fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// How its connection is, to be asked while it publishes.
    pub(crate) fn status(&self) -> ConnectionStatus {
        self.status.clone()
    }

    /// Publishes a round of messages and waits until every one of them is answered.
    ///
    /// While the broker has raised an alarm it is waited for: it reads nothing from this connection, not even a goodbye, and a
    /// new one would meet with the same. Giving up would leave a connection behind each time.
    pub(crate) async fn publish(&mut self, messages: &[Wire]) -> Result<Answers, Error> {
        let (status, began) = (self.status(), Instant::now());
        let mut round = pin!(self.publish_round(messages));
        loop {
            match tokio::time::timeout(ROUND, &mut round).await {
                Ok(answers) => return answers,
                Err(_) if status.blocked() && began.elapsed() < BLOCKED => {}
                Err(_) if status.blocked() => return Err(Error::Blocked),
                Err(_) => {
                    return Err(Error::Deadline { what: "a round of confirms", limit: ROUND });
                }
            }
        }
    }

    async fn publish_round(&mut self, messages: &[Wire]) -> Result<Answers, Error> {
        let mut confirms = Vec::with_capacity(messages.len());
        for message in messages {
            confirms.push(self.publish_one(message).await?);
        }
        let mut answers = Answers::default();
        // lapin hands a returned message out with whichever confirm comes next, so returns are matched by their own id,
        // and only when the whole round is answered.
        for (message, confirm) in messages.iter().zip(try_join_all(confirms).await?) {
            let returned = match confirm {
                Confirmation::Ack(returned) => returned,
                Confirmation::Nack(returned) => {
                    answers.nacked.insert(message.id);
                    returned
                }
                Confirmation::NotRequested => return Err(Error::Unconfirmed),
            };
            answers.returned.extend(returned.iter().filter_map(message_id));
        }
        let late = self.channel.wait_for_confirms().await?;
        answers.returned.extend(late.iter().filter_map(message_id));
        Ok(answers)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that publishes")]
    async fn publish_one(
        &mut self,
        message: &Wire,
    ) -> Result<lapin::PublisherConfirm, lapin::Error> {
        /// On disk before it is confirmed.
        const PERSISTENT: u8 = 2;
        let properties = BasicProperties::default()
            .with_message_id(message.id.to_string().into())
            .with_content_type(message.content_type.into())
            .with_app_id(self.app_id.as_str().into())
            .with_delivery_mode(PERSISTENT)
            .with_headers(queues::published_now());
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

    /// Says goodbye to the broker; what is in flight has been answered by then.
    pub(crate) async fn close(self) {
        self.session.close().await;
    }
}

fn message_id(returned: &BasicReturnMessage) -> Option<Uuid> {
    returned.delivery.properties.message_id().as_ref()?.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use lapin::{
        options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
        types::{AMQPValue, FieldTable},
    };
    use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
    use testkit::Vhost;
    use tokio::task::JoinSet;
    use uuid::Uuid;

    use super::{Publisher, Wire};

    /// How many publish at once, each on a connection of its own.
    const PUBLISHERS: u64 = 8;

    /// How many messages one round has.
    const ROUND: usize = 500;

    const EXCHANGE: &str = "mixed";

    /// Where a message goes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Fate {
        /// Into a queue.
        Bound,
        /// Nowhere.
        Unroutable,
        /// To a queue that is full.
        Full,
    }

    impl Fate {
        const fn routing_key(self) -> &'static str {
            match self {
                Self::Bound => "bound",
                Self::Unroutable => "nowhere",
                Self::Full => "full",
            }
        }
    }

    /// An exchange without a net under it, one queue that takes everything and one that refuses.
    async fn declare(publisher: &Publisher) {
        let channel = publisher.channel();
        let options = ExchangeDeclareOptions::default();
        let kind = lapin::ExchangeKind::Direct;
        let none = FieldTable::default;
        channel.exchange_declare(EXCHANGE.into(), kind, options, none()).await.unwrap();
        let mut full = FieldTable::default();
        full.insert("x-max-length".into(), AMQPValue::LongInt(1));
        full.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        for (fate, arguments) in [(Fate::Bound, none()), (Fate::Full, full)] {
            let name = fate.routing_key();
            let options = QueueDeclareOptions::durable();
            channel.queue_declare(name.into(), options, arguments).await.unwrap();
            let options = QueueBindOptions::default();
            channel
                .queue_bind(name.into(), EXCHANGE.into(), name.into(), options, none())
                .await
                .unwrap();
        }
    }

    fn wire(fate: Fate) -> Wire {
        Wire {
            id: Uuid::new_v4(),
            exchange: EXCHANGE.to_owned(),
            routing_key: fate.routing_key().to_owned(),
            content_type: "text/plain",
            body: vec![b'x'; 64],
        }
    }

    /// lapin alone puts 1.6 to 2.5 % of returned messages down to other ones, and confirms what was refused if two tasks publish
    /// on one channel. `ROUNDS=250` publishes a million messages.
    #[tokio::test]
    async fn what_came_back_or_was_refused_is_never_mistaken_for_another() {
        let rounds = std::env::var("ROUNDS").map_or(12, |rounds| rounds.parse().unwrap());
        let vhost = Vhost::create().await.unwrap();
        let mut first = Publisher::connect(vhost.url(), "test").await.unwrap();
        declare(&first).await;
        // The first one fills it.
        first.publish(&[wire(Fate::Full)]).await.unwrap();
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

    /// Publishes a round of which one message in fifty is unroutable and one in fifty refused, and looks who is blamed.
    async fn publish_mixed(publisher: &mut Publisher, random: &mut StdRng) {
        let fates: Vec<Fate> = (0..ROUND)
            .map(|_| match random.random_range(0..100) {
                0 | 1 => Fate::Unroutable,
                2 | 3 => Fate::Full,
                _ => Fate::Bound,
            })
            .collect();
        let wires: Vec<Wire> = fates.iter().copied().map(wire).collect();
        let answers = publisher.publish(&wires).await.unwrap();
        let of = |wanted: Fate| -> HashSet<Uuid> {
            let all = wires.iter().zip(&fates);
            all.filter(|(_, fate)| **fate == wanted).map(|(wire, _)| wire.id).collect()
        };
        assert_eq!(answers.returned, of(Fate::Unroutable));
        assert_eq!(answers.nacked, of(Fate::Full));
    }
}
