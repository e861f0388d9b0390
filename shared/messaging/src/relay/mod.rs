//! The relay: carries events from the outbox to the broker, in order, and deletes what the broker has confirmed.
//!
//! One relay leads each service by a lease. It is woken by the commits of its own process, and by the word of others ([`Wake`]
//! says how); a slow sweep is the net.
//!
//! [`Wake`]: crate::wake::Wake

pub(crate) mod core;
pub(crate) mod publisher;

use std::{collections::HashMap, ops::RangeInclusive, time::Duration};

use envelope::{BATCH_CONTENT_TYPE, Envelope, encode_batch};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    core::{Answers, Message, envelope, pack, settle},
    publisher::{Publisher, Wire},
};
use crate::{
    BatchSize, Error, Outbox, Settings,
    adaptive::Limit,
    broker,
    connectivity::Link,
    error::{causes, within},
    lease, outbox, retry,
};

/// The name of the relay's lease.
const LEASE: &str = "relay";

/// How many rows one round takes, where that adapts: fewer than a message or two hold are not worth a round.
const ROUND_ROWS: RangeInclusive<usize> = 128..=8192;

/// How many rows the first round takes.
const FIRST_ROUND: usize = 512;

/// How many bytes of event data one round takes, about.
const ROUND_BYTES: i64 = 4 * 1024 * 1024;

/// How long the database may take for one step.
const STEP: Duration = Duration::from_secs(15);

/// How often the outbox is looked at though nobody woke the relay.
const SWEEP: Duration = Duration::from_millis(250);

/// How long a key rests after one of its messages was refused.
const REFUSED: Duration = Duration::from_millis(500);

/// How many rounds may be refused on one connection. RabbitMQ 3.10 goes on to refuse what comes by a channel that met a queue just
/// when the leader of its members had died; by a new channel it takes the same.
const REFUSALS: u32 = 3;

/// Carries events until `stop`, and what is committed by then as far as it can be done within one more round; as many in a round as
/// `size` says.
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
        stopped: HashMap::new(),
        rows: Limit::new(size, ROUND_ROWS, FIRST_ROUND),
        refusals: 0,
    };
    let mut attempt = 0;
    while !stop.is_cancelled() {
        let began = Instant::now();
        let ended = relay.lead(stop).await;
        outbox.wake().lead(false);
        match ended {
            Ok(()) => {}
            Err(error) => {
                settings.connectivity.down(Link::Publisher, &error);
                attempt = retry::failed_in_a_row(attempt, began);
                let pause = retry::backoff(attempt);
                tracing::warn!(causes = ?causes(&error), ?pause, "the relay lost its broker or database, and tries again");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
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
    /// Who this process is to the lease.
    holder: Uuid,
    /// Keys that rest because one of their messages was refused, and until when.
    stopped: HashMap<(String, String), Instant>,
    /// How many rows the next round takes.
    rows: Limit,
    /// How many rounds had messages refused on this connection.
    refusals: u32,
}

/// What one round did.
enum Round {
    /// There was nothing to carry.
    Idle,
    /// Something was carried, so there may be more.
    Busy,
    /// Another process leads.
    Superseded,
}

impl Relay<'_> {
    /// Connects, and carries events for as long as the lease is held and nothing fails.
    async fn lead(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let service = self.settings.topology.service();
        let mut publisher = Publisher::connect(&self.settings.amqp_url, service).await?;
        broker::declare_on(publisher.channel(), &self.settings.topology).await?;
        self.settings.connectivity.up(Link::Publisher);
        self.refusals = 0;
        let mut renewed: Option<(Instant, i64)> = None;
        // Of other processes' commits only the one that leads wants to hear.
        let mut hearing: Option<JoinSet<()>> = None;
        loop {
            // The interest is registered before the outbox is read: a commit in between is not missed.
            let woken = self.outbox.wake().committed().notified();
            let epoch = match renewed {
                Some((at, epoch)) if at.elapsed() < lease::TERM / 3 => Some(epoch),
                _ => {
                    let at = Instant::now();
                    let epoch = self.renew().await?;
                    renewed = epoch.map(|epoch| (at, epoch));
                    epoch
                }
            };
            let round = match epoch {
                Some(epoch) => {
                    if hearing.is_none() {
                        self.outbox.wake().lead(true);
                        hearing = Some(self.outbox.wake().hear_others(self.outbox.pool()));
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
                _ if self.refusals >= REFUSALS => return Err(Error::Refused),
                Round::Busy => {}
                Round::Superseded => {
                    renewed = None;
                    hearing = None;
                    self.outbox.wake().lead(false);
                    wait(SWEEP, None, stop).await;
                }
                Round::Idle => wait(SWEEP, Some(woken), stop).await,
            }
        }
    }

    /// Reads once, publishes what it read, waits for every answer, and deletes what was confirmed.
    async fn round(
        &mut self,
        publisher: &mut Publisher,
        epoch: i64,
        stop: &CancellationToken,
    ) -> Result<Round, Error> {
        let now = Instant::now();
        self.stopped.retain(|_, until| *until > now);
        let stopped: Vec<_> = self.stopped.keys().cloned().collect();
        // The connection goes back while the broker works: a slow broker must not hold up business writes.
        let rows = within("reading the outbox", STEP, async {
            let mut connection = self.outbox.pool().acquire().await?;
            let limit = i64::try_from(self.rows.get()).unwrap_or(i64::MAX);
            outbox::read(&mut connection, &stopped, limit, ROUND_BYTES).await
        })
        .await?;
        if rows.is_empty() {
            return Ok(Round::Idle);
        }
        let taken = rows.len();
        let messages = pack(rows);
        let wires = self.encode(&messages)?;
        let answers = self.publish(publisher, &wires, stop).await;
        if let Err(Error::Deadline { .. }) = answers {
            self.rows.gave_up(taken);
        }
        let answers = answers?;
        let settlement = settle(&messages, &answers);
        if !settlement.stopped.is_empty() {
            tracing::warn!(
                keys = settlement.stopped.len(),
                "the broker refused messages; their keys rest"
            );
            self.refusals += 1;
            self.stopped.extend(settlement.stopped.into_iter().map(|key| (key, now + REFUSED)));
        }
        metrics::counter!("messaging_events_published_total")
            .increment(u64::try_from(settlement.confirmed.len()).unwrap_or_default());
        let held = within("deleting from the outbox", STEP, async {
            let mut connection = self.outbox.pool().acquire().await?;
            outbox::delete(&mut connection, &settlement.confirmed, LEASE, self.holder, epoch).await
        })
        .await?;
        self.rows.observe(taken, now.elapsed());
        Ok(if held { Round::Busy } else { Round::Superseded })
    }

    /// Publishes a round, and keeps the lease meanwhile: a slow broker is no reason for another process to begin as well.
    /// What a broker under alarm has not taken by `stop` stays in the outbox.
    async fn publish(
        &self,
        publisher: &mut Publisher,
        wires: &[Wire],
        stop: &CancellationToken,
    ) -> Result<Answers, Error> {
        let status = publisher.status();
        let mut publishing = std::pin::pin!(publisher.publish(wires));
        loop {
            if let Ok(answers) = tokio::time::timeout(lease::TERM / 3, &mut publishing).await {
                if answers.is_ok() {
                    self.settings.connectivity.up(Link::Publisher);
                }
                return answers;
            }
            if status.blocked() {
                self.settings.connectivity.down(Link::Publisher, &Error::Blocked);
                if stop.is_cancelled() {
                    return Err(Error::Blocked);
                }
            }
            if self.renew().await?.is_none() {
                // Whoever leads now wants to hear of what is committed here.
                self.outbox.wake().lead(false);
            }
        }
    }

    /// Takes the lease again; the epoch if it is ours.
    async fn renew(&self) -> Result<Option<i64>, Error> {
        within("renewing the relay's lease", STEP, async {
            let mut connection = self.outbox.pool().acquire().await?;
            lease::take(&mut connection, LEASE, self.holder).await
        })
        .await
    }

    fn encode(&self, messages: &[Message]) -> Result<Vec<Wire>, Error> {
        let service = self.settings.topology.service();
        let wire = |message: &Message| -> Result<Wire, Error> {
            let envelopes: Vec<Envelope> =
                message.rows.iter().map(|row| envelope(row, service)).collect::<Result<_, _>>()?;
            Ok(Wire {
                id: message.id,
                exchange: service.to_owned(),
                routing_key: message.routing_key.clone(),
                content_type: BATCH_CONTENT_TYPE,
                body: encode_batch(&envelopes.iter().collect::<Vec<_>>())?,
            })
        };
        messages.iter().map(wire).collect()
    }

    /// Lets a successor begin at once.
    async fn step_down(self) {
        let released = within("releasing the relay's lease", STEP, async {
            let mut connection = self.outbox.pool().acquire().await?;
            lease::release(&mut connection, LEASE, self.holder).await
        });
        if let Err(error) = released.await {
            tracing::debug!(causes = ?causes(&error), "the relay's lease was not released and runs out by itself");
        }
    }
}

/// Waits for the wake, for `limit`, or for the stop, whichever comes first.
async fn wait(
    limit: Duration,
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
        () = tokio::time::sleep(limit) => {}
        () = stop.cancelled() => {}
    }
}
