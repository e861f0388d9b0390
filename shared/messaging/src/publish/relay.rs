//! The relay: publishes the events of the outbox in order, and deletes them when the broker has confirmed them.
//!
//! A lease elects one leading relay per service. Commits wake it (see [`RelayWaker`]); it also polls.
//!
//! [`RelayWaker`]: super::waker::RelayWaker

use std::{collections::HashMap, ops::RangeInclusive, time::Duration};

use envelope::{BATCH_CONTENT_TYPE, Envelope, encode_batch};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    lease::{self, LEASE_TTL},
    outbox::Outbox,
    packing::{Confirms, Message, envelope, pack, settle},
    publisher::{OutgoingMessage, Publisher},
    table,
};
use crate::{
    batch_size::{BatchLimit, BatchSize},
    broker,
    connection_status::Link,
    error::{Error, causes, with_timeout},
    retry,
    settings::Settings,
};

/// The name of the relay's lease.
const LEASE: &str = "relay";

/// The bounds of an adaptive round, in rows. The minimum fills one or two messages.
const ROUND_ROWS: RangeInclusive<usize> = 128..=8192;

/// The rows of the first round.
const FIRST_ROUND: usize = 512;

/// The approximate limit of event data per round, in bytes.
const ROUND_BYTES: i64 = 4 * 1024 * 1024;

/// The timeout of a database operation.
const QUERY_TIMEOUT: Duration = Duration::from_secs(15);

/// How often the outbox is read without a wake-up.
const SWEEP_INTERVAL: Duration = Duration::from_millis(250);

/// How long a key is not published after a rejected message.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// How many rounds with rejected messages are tolerated on one connection. If the leader of a quorum queue dies, RabbitMQ 3.10
/// keeps rejecting messages on a channel that was publishing to it; a new channel works.
const MAX_REJECTED_ROUNDS: u32 = 3;

/// Publishes events until `stop`, then finishes the current round. `size` bounds the rows per round.
pub(crate) async fn run(
    outbox: &Outbox,
    settings: &Settings,
    size: BatchSize,
    stop: &CancellationToken,
) {
    let mut relay = Relay {
        outbox,
        settings,
        holder: settings.replica,
        blocked_keys: HashMap::new(),
        limit: BatchLimit::new(size, ROUND_ROWS, FIRST_ROUND),
        rejected_rounds: 0,
    };
    let mut attempt = 0;
    while !stop.is_cancelled() {
        let began = Instant::now();
        let ended = relay.session(stop).await;
        outbox.waker().set_leading(false);
        match ended {
            Ok(()) => {}
            Err(error) => {
                settings.connections.down(Link::Publisher, &error);
                attempt = retry::consecutive_failures(attempt, began);
                let delay = retry::backoff(attempt);
                tracing::warn!(causes = ?causes(&error), ?delay, "the relay lost its broker or database; retrying");
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }
    relay.step_down().await;
}

struct Relay<'a> {
    outbox: &'a Outbox,
    settings: &'a Settings,
    /// The holder of the lease: this process.
    holder: Uuid,
    /// Keys with a rejected message, and the time of the next attempt.
    blocked_keys: HashMap<(String, String), Instant>,
    limit: BatchLimit,
    /// Rounds with rejected messages on this connection.
    rejected_rounds: u32,
}

/// The result of a round.
enum Round {
    /// The outbox was empty.
    Idle,
    /// Events were published, and there may be more.
    Busy,
    /// Another process leads.
    Superseded,
}

impl Relay<'_> {
    /// Connects and publishes events until something fails.
    async fn session(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let mut publisher =
            Publisher::connect(&self.settings.amqp_url, self.settings.service).await?;
        broker::declare_all(publisher.channel(), &self.settings.declarations).await?;
        self.settings.connections.up(Link::Publisher);
        self.rejected_rounds = 0;
        let mut renewed: Option<(Instant, i64)> = None;
        // Only the leading process listens to the commits of others.
        let mut listener: Option<JoinSet<()>> = None;
        loop {
            // Registered before the outbox is read, so no commit in between is missed.
            let woken = self.outbox.waker().committed().notified();
            let epoch = match renewed {
                Some((at, epoch)) if at.elapsed() < LEASE_TTL / 3 => Some(epoch),
                _ => {
                    let at = Instant::now();
                    let epoch = self.renew().await?;
                    renewed = epoch.map(|epoch| (at, epoch));
                    epoch
                }
            };
            let round = match epoch {
                Some(epoch) => {
                    if listener.is_none() {
                        self.outbox.waker().set_leading(true);
                        listener = Some(self.outbox.waker().listen(self.outbox.pool()));
                    }
                    self.round(&mut publisher, epoch, stop).await?
                }
                None => Round::Superseded,
            };
            if stop.is_cancelled() {
                publisher.close().await;
                return Ok(());
            }
            match round {
                _ if self.rejected_rounds >= MAX_REJECTED_ROUNDS => {
                    return Err(Error::PublishRejected);
                }
                Round::Busy => {}
                Round::Superseded => {
                    renewed = None;
                    listener = None;
                    self.outbox.waker().set_leading(false);
                    wait(SWEEP_INTERVAL, None, stop).await;
                }
                Round::Idle => wait(SWEEP_INTERVAL, Some(woken), stop).await,
            }
        }
    }

    /// Reads rows, publishes them, waits for all confirms, and deletes the confirmed rows.
    async fn round(
        &mut self,
        publisher: &mut Publisher,
        epoch: i64,
        stop: &CancellationToken,
    ) -> Result<Round, Error> {
        let now = Instant::now();
        self.blocked_keys.retain(|_, until| *until > now);
        let blocked: Vec<_> = self.blocked_keys.keys().cloned().collect();
        // The connection returns to the pool while the broker works: a slow broker must not delay business writes.
        let rows = with_timeout("reading the outbox", QUERY_TIMEOUT, async {
            let mut connection = self.outbox.pool().acquire().await?;
            let limit = i64::try_from(self.limit.get()).unwrap_or(i64::MAX);
            table::read(&mut connection, &blocked, limit, ROUND_BYTES).await
        })
        .await?;
        if rows.is_empty() {
            return Ok(Round::Idle);
        }
        let row_count = rows.len();
        let messages = pack(rows);
        let outgoing = self.encode(&messages)?;
        let confirms = self.publish(publisher, &outgoing, stop).await;
        if let Err(Error::Deadline { .. }) = confirms {
            self.limit.timed_out(row_count);
        }
        let confirms = confirms?;
        let settlement = settle(&messages, &confirms);
        if !settlement.blocked_keys.is_empty() {
            tracing::warn!(
                keys = settlement.blocked_keys.len(),
                "the broker rejected messages; retrying their keys later"
            );
            self.rejected_rounds += 1;
            self.blocked_keys
                .extend(settlement.blocked_keys.into_iter().map(|key| (key, now + RETRY_DELAY)));
        }
        metrics::counter!("messaging_events_published_total")
            .increment(u64::try_from(settlement.confirmed.len()).unwrap_or_default());
        let held = with_timeout("deleting from the outbox", QUERY_TIMEOUT, async {
            let mut connection = self.outbox.pool().acquire().await?;
            table::delete(&mut connection, &settlement.confirmed, LEASE, self.holder, epoch).await
        })
        .await?;
        self.limit.observe(row_count, now.elapsed());
        Ok(if held { Round::Busy } else { Round::Superseded })
    }

    /// Publishes a round and renews the lease meanwhile: a slow broker must not cause a change of the leader. If the broker is
    /// blocked by an alarm at `stop`, the events stay in the outbox.
    async fn publish(
        &self,
        publisher: &mut Publisher,
        messages: &[OutgoingMessage],
        stop: &CancellationToken,
    ) -> Result<Confirms, Error> {
        let status = publisher.status();
        let mut publishing = std::pin::pin!(publisher.publish(messages));
        loop {
            if let Ok(confirms) = tokio::time::timeout(LEASE_TTL / 3, &mut publishing).await {
                if confirms.is_ok() {
                    self.settings.connections.up(Link::Publisher);
                }
                return confirms;
            }
            if status.blocked() {
                self.settings.connections.down(Link::Publisher, &Error::Blocked);
                if stop.is_cancelled() {
                    return Err(Error::Blocked);
                }
            }
            if self.renew().await?.is_none() {
                // The new leader needs notifications about the commits of this process.
                self.outbox.waker().set_leading(false);
            }
        }
    }

    /// Acquires or renews the lease; returns the epoch if it is ours.
    async fn renew(&self) -> Result<Option<i64>, Error> {
        with_timeout("renewing the relay's lease", QUERY_TIMEOUT, async {
            let mut connection = self.outbox.pool().acquire().await?;
            lease::acquire(&mut connection, LEASE, self.holder).await
        })
        .await
    }

    fn encode(&self, messages: &[Message]) -> Result<Vec<OutgoingMessage>, Error> {
        let service = self.settings.service;
        let encode = |message: &Message| -> Result<OutgoingMessage, Error> {
            let envelopes: Vec<Envelope> =
                message.rows.iter().map(|row| envelope(row, service)).collect::<Result<_, _>>()?;
            Ok(OutgoingMessage {
                id: message.id,
                exchange: service.to_owned(),
                routing_key: message.routing_key.clone(),
                content_type: BATCH_CONTENT_TYPE,
                body: encode_batch(&envelopes.iter().collect::<Vec<_>>())?,
            })
        };
        messages.iter().map(encode).collect()
    }

    /// Releases the lease, so that a successor starts at once.
    async fn step_down(self) {
        let released = with_timeout("releasing the relay's lease", QUERY_TIMEOUT, async {
            let mut connection = self.outbox.pool().acquire().await?;
            lease::release(&mut connection, LEASE, self.holder).await
        });
        if let Err(error) = released.await {
            tracing::debug!(causes = ?causes(&error), "failed to release the relay's lease; it will expire");
        }
    }
}

/// Waits until the relay is woken, the interval has passed, or `stop` is cancelled.
async fn wait(
    interval: Duration,
    woken: Option<tokio::sync::futures::Notified<'_>>,
    stop: &CancellationToken,
) {
    let woken = async {
        match woken {
            Some(woken) => woken.await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = woken => {}
        () = tokio::time::sleep(interval) => {}
        () = stop.cancelled() => {}
    }
}
