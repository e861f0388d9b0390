//! The writer of a stream.

use std::{pin::pin, time::Duration};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::declare::declare_on;
use crate::{
    error::{Error, causes},
    publish::publisher::{ConfirmTimeouts, OutgoingMessage, Publisher},
    retry,
    signatures::{Content, Signatures},
};

/// How many appends may wait before new ones are rejected.
const QUEUE_CAPACITY: usize = 1024;

/// The most appends per round of confirms.
const ROUND: usize = 256;

/// How often a slow round checks for an alarm of the broker and for the stop.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How long a round waits for its confirms. The stream is a single queue, so no confirm says anything about the others.
const CONFIRM_TIMEOUTS: ConfirmTimeouts =
    ConfirmTimeouts { first: Duration::from_secs(10), next: Duration::from_secs(10) };

/// The timeout of an append.
const APPEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Why an append failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    #[error("too many appends are waiting for the broker")]
    Full,
    /// The broker is unreachable or did not confirm in time. The append may be in the stream nevertheless.
    #[error("the broker did not confirm")]
    Unconfirmed,
}

/// An append in flight.
#[derive(Debug)]
struct Append {
    id: Uuid,
    body: Vec<u8>,
    confirmed: oneshot::Sender<()>,
}

/// Appends to a stream. Cheap to clone; all clones share one publisher.
#[derive(Debug, Clone)]
pub struct StreamWriter {
    appends: mpsc::Sender<Append>,
}

/// The task that publishes the appends of a [`StreamWriter`].
#[derive(Debug)]
pub struct StreamWriterTask {
    appends: mpsc::Receiver<Append>,
    amqp_url: String,
    stream: String,
    signatures: Signatures,
}

impl StreamWriter {
    /// A writer of the stream `stream`, and the task behind it, which the caller must run.
    pub fn new(amqp_url: impl Into<String>, stream: impl Into<String>) -> (Self, StreamWriterTask) {
        let (sender, receiver) = mpsc::channel(QUEUE_CAPACITY);
        let publisher = StreamWriterTask {
            appends: receiver,
            amqp_url: amqp_url.into(),
            stream: stream.into(),
            signatures: Signatures::none(),
        };
        (Self { appends: sender }, publisher)
    }

    /// Appends one message and waits for the confirm of the broker.
    pub async fn append(&self, body: Vec<u8>) -> Result<(), AppendError> {
        let (confirmed, answer) = oneshot::channel();
        self.appends
            .try_send(Append { id: Uuid::new_v4(), body, confirmed })
            .map_err(|_| AppendError::Full)?;
        match tokio::time::timeout(APPEND_TIMEOUT, answer).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(AppendError::Unconfirmed),
        }
    }
}

impl StreamWriterTask {
    /// Signs each append with the key of the service. A reader with its public keys refuses what is not signed.
    #[must_use]
    pub fn signed(self, signatures: Signatures) -> Self {
        Self { signatures, ..self }
    }

    /// Publishes until `stop`, and then the appends that already wait, unless an alarm blocks the broker.
    /// After a failure it retries on a new connection for as long as the caller of an append waits.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut attempt = 0;
        let mut publisher: Option<Publisher> = None;
        let mut round: Vec<Append> = Vec::new();
        loop {
            round.retain(|append| !append.confirmed.is_closed());
            if round.is_empty() {
                tokio::select! {
                    biased;
                    // The next iterations take the waiting appends, and then the closed channel ends the
                    // loop.
                    () = stop.cancelled(), if !self.appends.is_closed() => self.appends.close(),
                    taken = self.appends.recv_many(&mut round, ROUND) => if taken == 0 { break },
                }
            }
            match self.publish(&mut publisher, &mut round, &stop).await {
                Ok(()) if round.is_empty() => {
                    attempt = 0;
                    continue;
                }
                Ok(()) => {
                    // The stream may be gone: a new connection declares it again.
                    publisher = None;
                    tracing::warn!(
                        left = round.len(),
                        "the broker did not store all appends; retrying"
                    );
                }
                Err(Error::Blocked) if stop.is_cancelled() => {
                    publisher = None;
                    tracing::warn!(
                        left = round.len(),
                        "the broker is blocked; unconfirmed appends are dropped"
                    );
                    break;
                }
                Err(error) => {
                    publisher = None;
                    tracing::warn!(causes = ?causes(&error), "failed to publish appends; retrying");
                }
            }
            attempt += 1;
            tokio::time::sleep(retry::backoff(attempt)).await;
        }
        if let Some(publisher) = publisher {
            publisher.close().await;
        }
    }

    /// Publishes the round and removes the confirmed appends. Waits for a blocked broker until `stop`.
    async fn publish(
        &self,
        publisher: &mut Option<Publisher>,
        round: &mut Vec<Append>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let open = if let Some(open) = publisher.take() {
            open
        } else {
            let mut fresh = Publisher::connect(&self.amqp_url, &self.stream).await?;
            declare_on(fresh.session(), &self.stream).await?;
            fresh
        };
        let open = publisher.insert(open);
        let message = |append: &Append| OutgoingMessage {
            id: append.id,
            // Its exchange has its name.
            exchange: self.stream.clone(),
            routing_key: self.stream.clone(),
            content_type: "application/json",
            signature: self.signatures.sign(Content::Append { stream: &self.stream }, &append.body),
            body: append.body.clone(),
            position: None,
        };
        let messages: Vec<OutgoingMessage> = round.iter().map(message).collect();
        let status = open.status();
        let mut publishing = pin!(open.publish(&messages, CONFIRM_TIMEOUTS));
        let confirms = loop {
            match tokio::time::timeout(POLL_INTERVAL, &mut publishing).await {
                Ok(confirms) => break confirms?,
                Err(_) if status.blocked() && stop.is_cancelled() => return Err(Error::Blocked),
                Err(_) => {}
            }
        };
        for append in std::mem::take(round) {
            if confirms.is_stored(append.id) {
                // If the caller has timed out, it already treats the append as unconfirmed.
                let _ = append.confirmed.send(());
            } else {
                round.push(append);
            }
        }
        Ok(())
    }
}
