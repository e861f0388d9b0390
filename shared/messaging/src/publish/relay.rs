//! The relay: publishes the events of the outbox in order, and moves them to the log when the broker has confirmed them.
//!
//! A lease elects one leading relay per service. Commits wake it (see [`RelayWaker`]); it also polls.
//!
//! [`RelayWaker`]: super::waker::RelayWaker

use std::{ops::RangeInclusive, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    QUERY_TIMEOUT,
    answers::Answers,
    leadership::Leadership,
    lease::LEASE_TTL,
    outbox::Outbox,
    packing::{Confirms, pack, settle},
    positions::Positions,
    prober::Prober,
    publisher::{ConfirmTimeouts, OutgoingMessage, Publisher},
    reminders::Reminders,
    suspensions::SuspendedPartitions,
    table,
};
use crate::{
    batch_size::{BatchLimit, BatchSize},
    connection_status::Link,
    declare,
    error::{Error, causes, with_timeout},
    retry,
    settings::Settings,
};

/// The bounds of an adaptive round, in rows. The minimum fills one or two messages.
const ROUND_ROWS: RangeInclusive<usize> = 128..=8192;

/// The rows of the first round.
const FIRST_ROUND: usize = 512;

/// The approximate limit of event data per round, in bytes.
const ROUND_BYTES: i64 = 4 * 1024 * 1024;

/// How often the outbox is read without a wake-up, unless the process rests.
const SWEEP_INTERVAL: Duration = Duration::from_millis(250);

/// How often it is read while the process rests.
const REST_SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// How long a round waits for its confirms.
const CONFIRM_TIMEOUTS: ConfirmTimeouts =
    ConfirmTimeouts { first: Duration::from_secs(5), next: Duration::from_secs(2) };

/// Publishes events until `stop`, then finishes the current round. `size` bounds the rows per round.
pub(crate) async fn run(
    outbox: &Outbox,
    settings: &Settings,
    size: BatchSize,
    stop: &CancellationToken,
) {
    let suspended = SuspendedPartitions::default();
    let positions = Positions::default();
    let leadership = Leadership { outbox, holder: settings.replica, positions: &positions };
    let reminders = Reminders { leadership, settings };
    let answers = Answers { leadership, settings };
    let prober = Prober { leadership, settings, suspended: &suspended };
    let mut relay = Relay {
        leadership,
        settings,
        suspended: &suspended,
        limit: BatchLimit::new(size, ROUND_ROWS, FIRST_ROUND),
    };
    // Boxed: a large future would be copied into the task of the caller.
    tokio::join!(
        Box::pin(relay.run(stop)),
        Box::pin(prober.run(stop)),
        Box::pin(reminders.run(stop)),
        Box::pin(answers.run(stop)),
    );
    leadership.step_down().await;
}

struct Relay<'a> {
    leadership: Leadership<'a>,
    settings: &'a Settings,
    suspended: &'a SuspendedPartitions,
    limit: BatchLimit,
}

/// The result of a round.
enum Round {
    /// The outbox was empty.
    Idle,
    /// Events were published, and there may be more.
    Busy,
    /// Messages were not confirmed: their partitions are suspended.
    Suspended,
    /// Another process leads.
    Superseded,
}

impl Relay<'_> {
    /// Publishes until `stop`, on a new connection after each failure.
    async fn run(&mut self, stop: &CancellationToken) {
        let mut attempt = 0;
        while !stop.is_cancelled() {
            let began = Instant::now();
            let ended = self.session(stop).await;
            self.outbox().waker().set_leading(false);
            if let Err(error) = ended {
                self.settings.connections.down(Link::Publisher, &error);
                attempt = retry::consecutive_failures(attempt, began);
                let delay = retry::backoff(attempt);
                tracing::warn!(causes = ?causes(&error), ?delay, "the relay lost its broker or database; retrying");
                tokio::select! {
                    () = sleep(delay) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }

    const fn outbox(&self) -> &Outbox {
        self.leadership.outbox
    }

    async fn connect(&self) -> Result<Publisher, Error> {
        Publisher::connect(&self.settings.amqp_url, self.settings.service).await
    }

    /// Connects and publishes events until something fails.
    async fn session(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let mut publisher = self.connect().await?;
        declare::declare_for_publisher(&publisher.session().channels()?, self.settings).await?;
        self.settings.connections.up(Link::Publisher);
        self.suspended.retry_now();
        let mut renewed: Option<(Instant, i64)> = None;
        // Only the leading process listens to the commits of others.
        let mut listener: Option<JoinSet<()>> = None;
        loop {
            // Registered before the outbox is read, so no commit in between is missed.
            let woken = self.leadership.outbox.waker().committed().notified();
            let epoch = match renewed {
                Some((at, epoch)) if at.elapsed() < LEASE_TTL / 3 => Some(epoch),
                _ => {
                    let at = Instant::now();
                    let epoch = self.leadership.renew().await?;
                    renewed = epoch.map(|epoch| (at, epoch));
                    epoch
                }
            };
            let round = match epoch {
                Some(epoch) => {
                    if listener.is_none() {
                        self.leadership.positions.begin(self.outbox().pool(), epoch).await?;
                        self.outbox().waker().set_leading(true);
                        listener = Some(self.outbox().waker().listen(self.outbox().pool()));
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
                Round::Busy => {}
                Round::Suspended => publisher = self.connect().await?,
                Round::Superseded => {
                    renewed = None;
                    self.outbox().waker().set_leading(false);
                    if listener.take().is_some() {
                        // The new leader was not notified of the commits since it leads.
                        self.outbox().waker().notify_others(self.outbox().pool());
                    }
                    wait(sleep(SWEEP_INTERVAL), None, stop).await;
                }
                Round::Idle => wait(self.sweep(), Some(woken), stop).await,
            }
        }
    }

    /// Returns when the outbox must be read without a wake-up. While the process rests, the outbox monitor finds forgotten rows.
    async fn sweep(&self) {
        let now = Instant::now();
        let (at, latest) = (now + SWEEP_INTERVAL, now + REST_SWEEP_INTERVAL);
        self.outbox().activity().pause_until(at, latest).await;
    }

    /// Reads rows, publishes them, waits for the confirms, and moves the confirmed rows to the log. Suspends the partitions
    /// of the others.
    async fn round(
        &mut self,
        publisher: &mut Publisher,
        epoch: i64,
        stop: &CancellationToken,
    ) -> Result<Round, Error> {
        let began = Instant::now();
        let suspended = self.suspended.all();
        // The connection returns to the pool while the broker works: a slow broker must not delay business writes.
        let rows = with_timeout("reading the outbox", QUERY_TIMEOUT, async {
            let mut connection = self.outbox().pool().acquire().await?;
            let limit = i64::try_from(self.limit.get()).unwrap_or(i64::MAX);
            table::read(&mut connection, &suspended, limit, ROUND_BYTES).await
        })
        .await?;
        if rows.is_empty() {
            return Ok(Round::Idle);
        }
        let row_count = rows.len();
        let messages = pack(rows);
        let outgoing = self.leadership.encode(&messages, self.settings.service, epoch).await?;
        let confirms = self.publish(publisher, &outgoing, stop).await?;
        let settlement = settle(&messages, &confirms);
        let is_held = self.leadership.settle(&settlement, &messages, &outgoing, epoch).await?;
        let round = match (is_held, settlement.suspended.is_empty()) {
            (false, _) => Round::Superseded,
            (true, true) => Round::Busy,
            (true, false) => Round::Suspended,
        };
        if !settlement.suspended.is_empty() {
            tracing::warn!(
                partitions = ?settlement.suspended.iter().map(ToString::to_string).collect::<Vec<_>>(),
                unanswered = confirms.unanswered.len(),
                rejected = confirms.nacked.len(),
                returned = confirms.returned.len(),
                "the broker did not confirm all messages; their partitions are suspended"
            );
            self.suspended.suspend(settlement.suspended);
            self.settings.connections.suspended(self.suspended.names());
        }
        if confirms.unanswered.len() == messages.len() {
            // The connection is dead, or the broker hangs.
            self.limit.timed_out(row_count);
            return Err(Error::Deadline {
                what: "the first confirm of a round",
                limit: CONFIRM_TIMEOUTS.first,
            });
        }
        self.limit.observe(row_count, began.elapsed());
        Ok(round)
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
        let mut publishing = std::pin::pin!(publisher.publish(messages, CONFIRM_TIMEOUTS));
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
            if self.leadership.renew().await?.is_none() {
                // The new leader needs notifications about the commits of this process.
                self.outbox().waker().set_leading(false);
            }
        }
    }
}

/// Waits until the relay is woken, the outbox must be swept, or `stop` is cancelled.
async fn wait(
    swept: impl Future<Output = ()>,
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
        () = swept => {}
        () = stop.cancelled() => {}
    }
}
