//! Sends requests for missing messages to their publishers.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    error::{Error, causes},
    message_position::MissingMessages,
    naming::request_queue,
    publish::publisher::{ConfirmTimeouts, OutgoingMessage, Publisher},
    settings::Settings,
    signatures::{Content, Signatures},
};

/// How long requests wait for their confirms.
const CONFIRM_TIMEOUTS: ConfirmTimeouts =
    ConfirmTimeouts { first: Duration::from_secs(5), next: Duration::from_secs(5) };

/// Sends the requests of this process until `stop`, on one connection at a time: during an alarm the broker reads nothing, and
/// connections would pile up. A request that is not sent is repeated by its consumer.
pub(crate) async fn send(settings: &Settings, signatures: &Signatures, stop: &CancellationToken) {
    while let Some(requests) = stop.run_until_cancelled(settings.requests.next()).await {
        let sent =
            stop.run_until_cancelled(Box::pin(send_all(settings, signatures, requests))).await;
        if let Some(Err(error)) = sent {
            // A publisher of an earlier version has no queue for requests.
            tracing::warn!(causes = ?causes(&error), "failed to ask for missing messages");
        }
    }
}

async fn send_all(
    settings: &Settings,
    signatures: &Signatures,
    requests: Vec<(String, MissingMessages)>,
) -> Result<(), Error> {
    let Settings { amqp_url, service, .. } = settings;
    let mut messages = Vec::new();
    for (publisher, request) in requests {
        let body = serde_json::to_vec(&request)?;
        messages.push(OutgoingMessage {
            id: Uuid::new_v4(),
            // Its exchange for requests has the name of the queue.
            exchange: request_queue(&publisher),
            routing_key: request_queue(&publisher),
            content_type: "application/json",
            signature: signatures.sign(Content::Request { asked: &publisher }, &body),
            body,
            position: None,
        });
    }
    let mut publisher = Publisher::connect_for(amqp_url, service, "requests").await?;
    let confirms = publisher.publish(&messages, CONFIRM_TIMEOUTS).await?;
    publisher.close().await;
    let is_stored = |message: &OutgoingMessage| confirms.is_stored(message.id);
    if messages.iter().all(is_stored) { Ok(()) } else { Err(Error::Unconfirmed) }
}
