//! Publishes messages of the log again, to the queues of one subscriber.
//!
//! For a subscriber or a broker that has lost data: a queue that was deleted, a database that was restored from a backup.
//! The subscriber recognises what it has already applied, so each event takes effect once, in the order of its key.

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use envelope::BATCH_CONTENT_TYPE;
use serde::Serialize;
use sqlx::PgPool;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    broker::{self, Session, depth},
    error::{Error, with_timeout},
    message_position::{MessagePosition, Purpose},
    naming::{consumer_queue, slot_group},
    publish::{
        outbox::Outbox,
        positions,
        publisher::{ConfirmTimeouts, OutgoingMessage, Publisher},
    },
    signatures::Content,
    slot_groups::SlotGroups,
    topology::Topology,
};

/// The messages of one round.
const ROUND: i64 = 64;

/// The timeout of a database operation.
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);

const CONFIRM_TIMEOUTS: ConfirmTimeouts =
    ConfirmTimeouts { first: Duration::from_secs(5), next: Duration::from_secs(2) };

/// Publishes the messages of a service's log again. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Republisher {
    outbox: Outbox,
    amqp_url: String,
    service: &'static str,
    aggregates: BTreeSet<&'static str>,
    slot_groups: SlotGroups,
}

/// What to publish again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Republication {
    /// The service whose queues receive the messages.
    pub subscriber: String,
    /// The time of the first message. Choose it before the loss: what the subscriber has applied is recognised.
    pub since: DateTime<Utc>,
    /// Where the previous call ended.
    pub after: Option<Progress>,
    /// The longest duration of the call; the current round is finished.
    pub within: Duration,
}

/// How far a republication has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The last message that was published again.
    message: i64,
    /// The last message when the republication began: later ones are published by the relay.
    end: i64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.message, self.end)
    }
}

/// The text is no progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the `next` of the previous answer")]
pub struct InvalidProgress;

impl FromStr for Progress {
    type Err = InvalidProgress;

    fn from_str(text: &str) -> Result<Self, InvalidProgress> {
        let (message, end) = text.split_once('-').ok_or(InvalidProgress)?;
        let number = |text: &str| text.parse::<i64>().map_err(|_| InvalidProgress);
        let (message, end) = (number(message)?, number(end)?);
        if (0..=end).contains(&message) { Ok(Self { message, end }) } else { Err(InvalidProgress) }
    }
}

/// The result of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepublishReport {
    /// Messages that the broker has stored again.
    pub messages: u64,
    /// The events in them.
    pub events: u64,
    /// Aggregates with a queue of the subscriber.
    pub aggregates: Vec<&'static str>,
    /// The time of the oldest message in the log: what was published before can no longer be published again.
    pub oldest: Option<DateTime<Utc>>,
    /// Where the next call continues; absent when all messages were published.
    pub next: Option<String>,
}

/// Why nothing was published again.
#[derive(Debug, thiserror::Error)]
pub enum RepublishError {
    /// The subscriber has no queue for an aggregate of this service.
    #[error("{subscriber} has no queue for events of {service}")]
    NotSubscribed { subscriber: String, service: &'static str },
    /// A queue of the subscriber does not accept messages.
    #[error("the broker does not store messages for {0}")]
    NotStored(String),
    #[error(transparent)]
    Messaging(#[from] Error),
}

struct LoggedMessage {
    id: i64,
    aggregate: String,
    slot: i16,
    events: i32,
    body: Vec<u8>,
    /// Messages of an earlier version have none.
    position: Option<i64>,
}

impl LoggedMessage {
    fn position(&self, history: i64) -> Option<MessagePosition> {
        self.position.map(|number| MessagePosition { history, slot: self.slot, number })
    }
}

impl Republisher {
    /// For the service that `topology` describes. `amqp_url` as in [`MessagingRuntime::new`](crate::MessagingRuntime::new).
    pub fn new(outbox: Outbox, amqp_url: impl Into<String>, topology: &Topology) -> Self {
        let aggregates = topology.published().iter().map(|kind| kind.aggregate).collect();
        Self {
            outbox,
            amqp_url: amqp_url.into(),
            service: topology.service(),
            aggregates,
            slot_groups: topology.groups().clone(),
        }
    }

    /// Publishes messages of the log again, in their order, to the queues of one subscriber.
    ///
    /// It may be repeated: what arrives twice takes effect once. A message that is not confirmed ends the call with an error;
    /// nothing is skipped.
    pub async fn republish(
        &self,
        republication: &Republication,
    ) -> Result<RepublishReport, RepublishError> {
        let began = Instant::now();
        let Republication { subscriber, since, after, within } = republication;
        let aggregates = self.subscribed(subscriber).await?;
        let pool = self.outbox.pool();
        let oldest = read_oldest(pool).await?;
        let mut progress = match after {
            Some(progress) => *progress,
            None => begin(pool, *since).await?,
        };
        let history = with_timeout("reading the history", QUERY_TIMEOUT, async {
            positions::history(&mut *pool.acquire().await?).await
        })
        .await?;
        let mut publisher = Publisher::connect(&self.amqp_url, self.service).await?;
        let mut report = RepublishReport {
            messages: 0,
            events: 0,
            aggregates: aggregates.clone(),
            oldest,
            next: None,
        };
        loop {
            let messages = read(pool, progress, &aggregates).await?;
            let Some(last) = messages.last() else { break };
            progress.message = last.id;
            let count = u64::try_from(messages.len()).unwrap_or_default();
            let events =
                messages.iter().map(|message| u64::try_from(message.events).unwrap_or_default());
            let events: u64 = events.sum();
            self.publish(&mut publisher, subscriber, history, messages).await?;
            report.messages += count;
            report.events += events;
            if began.elapsed() >= *within {
                report.next = Some(progress.to_string());
                break;
            }
        }
        publisher.close().await;
        Ok(report)
    }

    /// The aggregates of this service for which the subscriber has all queues.
    async fn subscribed(&self, subscriber: &str) -> Result<Vec<&'static str>, RepublishError> {
        let name = format!("{}: republish", self.service);
        let session = Session::connect(&self.amqp_url, &name, broker::HEARTBEAT).await?;
        let channels = session.channels()?;
        let mut subscribed = Vec::new();
        for aggregate in &self.aggregates {
            let mut is_complete = true;
            for group in 0..self.slot_groups.of(aggregate) {
                let queue = consumer_queue(subscriber, aggregate, group);
                is_complete &= depth(&channels, &queue).await?.is_some();
            }
            if is_complete {
                subscribed.push(*aggregate);
            }
        }
        session.close().await;
        if subscribed.is_empty() {
            let subscriber = subscriber.to_owned();
            return Err(RepublishError::NotSubscribed { subscriber, service: self.service });
        }
        Ok(subscribed)
    }

    async fn publish(
        &self,
        publisher: &mut Publisher,
        subscriber: &str,
        history: i64,
        messages: Vec<LoggedMessage>,
    ) -> Result<(), RepublishError> {
        let signatures = self.outbox.signatures();
        let outgoing: Vec<OutgoingMessage> = messages
            .into_iter()
            .map(|message| (message.position(history), message))
            .map(|(position, message)| OutgoingMessage {
                id: Uuid::new_v4(),
                // The queue is bound to the exchange under its own name, so other subscribers receive nothing.
                exchange: self.service.to_owned(),
                routing_key: consumer_queue(
                    subscriber,
                    &message.aggregate,
                    slot_group(
                        u8::try_from(message.slot).unwrap_or_default(),
                        self.slot_groups.of(&message.aggregate),
                    ),
                ),
                content_type: BATCH_CONTENT_TYPE,
                signature: position.and_then(|position| {
                    let content = Content::Events { aggregate: &message.aggregate, position };
                    signatures.sign(content, &message.body)
                }),
                body: message.body,
                position: position.map(|position| (position, Purpose::Again)),
            })
            .collect();
        let confirms = publisher.publish(&outgoing, CONFIRM_TIMEOUTS).await?;
        match outgoing.iter().find(|message| !confirms.is_stored(message.id)) {
            Some(message) => Err(RepublishError::NotStored(message.routing_key.clone())),
            None => Ok(()),
        }
    }
}

/// Where a republication of the messages since this time begins and ends.
async fn begin(pool: &PgPool, since: DateTime<Utc>) -> Result<Progress, Error> {
    let found = sqlx::query!(
        r#"
        select coalesce((select max(id) from messaging.message), 0) as "end!",
            (select min(id) from messaging.message where published_at >= $1) as first
        "#,
        since
    );
    let found =
        with_timeout("reading the message log", QUERY_TIMEOUT, found.fetch_one(pool)).await?;
    let message = found.first.map_or(found.end, |first| first - 1);
    Ok(Progress { message, end: found.end })
}

/// The time of the oldest message.
async fn read_oldest(pool: &PgPool) -> Result<Option<DateTime<Utc>>, Error> {
    let oldest =
        sqlx::query_scalar!("select published_at from messaging.message order by id limit 1");
    with_timeout("reading the message log", QUERY_TIMEOUT, oldest.fetch_optional(pool)).await
}

async fn read(
    pool: &PgPool,
    progress: Progress,
    aggregates: &[&str],
) -> Result<Vec<LoggedMessage>, Error> {
    let messages = sqlx::query_as!(
        LoggedMessage,
        r#"
        select id, aggregate, slot, events, body, position from messaging.message
        where id > $1 and id <= $2 and aggregate = any($3) and events > 0
        order by id
        limit $4
        "#,
        progress.message,
        progress.end,
        aggregates as &[&str],
        ROUND
    );
    with_timeout("reading the message log", QUERY_TIMEOUT, messages.fetch_all(pool)).await
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::Progress;

    #[test]
    fn progress_survives_as_text() {
        let progress = Progress { message: 7, end: 12 };
        assert_eq!(progress.to_string().parse(), Ok(progress));
        for text in ["", "7", "7-", "-7-12", "13-12", "x-y", "7-12-13"] {
            assert!(text.parse::<Progress>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_texts_as_progress(text in "\\PC{0,30}|-?[0-9]{0,20}-[0-9]{0,20}") {
            if let Ok(progress) = text.parse::<Progress>() {
                prop_assert_eq!(progress.to_string().parse(), Ok(progress));
            }
        }
    }
}
