//! The one owner of the publishing channel.
//!
//! It cannot be cloned and publishes from one task alone: with two tasks on one channel, lapin reports rejected messages
//! as confirmed. After any error it is thrown away with its connection.

use std::time::Duration;

use futures::future::try_join_all;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use uuid::Uuid;

use super::core::Answers;
use crate::{Error, broker, error::within};

/// How long a whole round of messages may take to be confirmed.
const ROUND: Duration = Duration::from_secs(10);

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
#[derive(Debug)]
pub(crate) struct Publisher {
    connection: Connection,
    channel: Channel,
    app_id: String,
}

impl Publisher {
    pub(crate) async fn connect(amqp_url: &str, service: &str) -> Result<Self, Error> {
        let connection = broker::connect(amqp_url, &format!("{service}: publisher")).await?;
        let channel = broker::channel(&connection).await?;
        let confirm = channel.confirm_select(ConfirmSelectOptions::default());
        within("selecting confirms", broker::ANSWER, confirm).await?;
        Ok(Self { connection, channel, app_id: service.to_owned() })
    }

    pub(crate) const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Publishes a round of messages and waits until every one of them is answered.
    pub(crate) async fn publish(&mut self, messages: &[Wire]) -> Result<Answers, Error> {
        match tokio::time::timeout(ROUND, self.publish_round(messages)).await {
            Ok(answers) => answers,
            Err(_) => Err(Error::Deadline { what: "a round of confirms", limit: ROUND }),
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
            .with_delivery_mode(PERSISTENT);
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
        let goodbye = self.connection.close(200, "shutting down".into());
        if let Err(error) = within("closing a connection", broker::ANSWER, goodbye).await {
            tracing::debug!(%error, "the publisher's connection was not closed cleanly");
        }
    }
}

fn message_id(returned: &BasicReturnMessage) -> Option<Uuid> {
    returned.delivery.properties.message_id().as_ref()?.as_str().parse().ok()
}
