//! Watching queues: what their consumers count, how deep the broker says they are, and what follows from both.

pub(crate) mod core;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lapin::{
    Channel, message::Delivery, options::QueueDeclareOptions, types::AMQPValue, types::FieldTable,
};
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use self::core::{Done, OutboxSample, Sample, Window, depth};
pub use self::core::{OutboxMetrics, QueueMetrics};
use crate::{
    Error, Outbox, Settings, broker,
    broker::Session,
    consumer::{core::Incoming, hand::prefetch},
    error::{causes, within},
    retry,
    topology::SLOT_GROUPS,
};

/// How often queues are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The header that says when the relay published a message, in microseconds of Unix time: the queue's part of an event's way
/// begins there.
pub(crate) const PUBLISHED_AT: &str = "published_at_us";

/// How the queues of a service fare.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct QueueReport {
    /// The outbox, of the service as a whole. None in the first moments.
    pub outbox: Option<OutboxMetrics>,
    /// The queues of the service, by their names: the work that this process does, and how deep each is.
    pub queues: Vec<QueueMetrics>,
}

/// The meters of all queues of a process. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Meters(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    queues: Mutex<BTreeMap<String, Arc<Meter>>>,
    outbox: Mutex<Window<OutboxSample>>,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let (queues, outbox) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { began: Instant::now(), queues, outbox }))
    }

    /// The meter of a queue, which stays the same for as long as the process lives.
    pub(crate) fn of(&self, queue: &str) -> Arc<Meter> {
        lock(&self.0.queues).entry(queue.to_owned()).or_default().clone()
    }

    /// Takes note of the outbox: its last number, its rows, and the age of the oldest.
    pub(crate) fn outbox(&self, last: i64, rows: i64, oldest: Duration) {
        lock(&self.0.outbox).push(self.0.began.elapsed(), OutboxSample { last, rows, oldest });
    }

    /// What all meters say.
    pub(crate) fn report(&self) -> QueueReport {
        let queues = lock(&self.0.queues);
        let figures = queues.iter().filter_map(|(name, meter)| lock(&meter.0).window.figures(name));
        QueueReport { outbox: lock(&self.0.outbox).figures(), queues: figures.collect() }
    }
}

/// What the consumer of one queue counts.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Measured>);

#[derive(Debug, Default)]
struct Measured {
    done: Done,
    hand: Option<Hand>,
    window: Window<Sample>,
}

/// What is in hand.
#[derive(Debug)]
struct Hand {
    messages: u64,
    taken: SystemTime,
    reading: Reading,
}

/// What was read out of the messages in hand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    events: u64,
    /// Over all events: seconds of Unix time at which they were published.
    published_s: f64,
    /// Over all events: seconds of Unix time at which they were said.
    said_s: f64,
}

impl Reading {
    /// These events came out of a message that was published at this second of Unix time, if it says so.
    pub(crate) fn add<'a>(
        &mut self,
        published: Option<f64>,
        incoming: impl IntoIterator<Item = &'a Incoming>,
    ) {
        for one in incoming {
            let said = seconds(one.envelope.time.into());
            self.events += 1;
            self.said_s += said;
            self.published_s += published.unwrap_or(said);
        }
    }
}

impl Meter {
    /// The consumer has so many messages in hand, and goes to work on some of them.
    pub(crate) fn took(&self, messages: usize) {
        let messages = u64::try_from(messages).unwrap_or_default();
        let taken = SystemTime::now();
        lock(&self.0).hand = Some(Hand { messages, taken, reading: Reading::default() });
    }

    /// It has read them. It may do so more than once, if what comes then fails.
    pub(crate) fn read(&self, reading: Reading) {
        if let Some(hand) = &mut lock(&self.0).hand {
            hand.reading = reading;
        }
    }

    /// What was read is done, and so many messages are acknowledged.
    pub(crate) fn acknowledged(&self, messages: usize) {
        let mut measured = lock(&self.0);
        let Some(Hand { taken, reading, .. }) = measured.hand.take() else { return };
        let busy = taken.elapsed().unwrap_or_default().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "there are some hundreds")]
        let events = reading.events as f64;
        let all_taken = events * seconds(taken);
        let done = &mut measured.done;
        done.messages += u64::try_from(messages).unwrap_or_default();
        done.events += reading.events;
        // Clocks of two machines differ; nothing arrives before it was sent.
        done.waited_s += (all_taken - reading.published_s).max(0.0);
        done.served_s += events * busy;
        done.aged_s += (all_taken - reading.said_s).max(0.0) + events * busy;
        done.busy_s += busy;
    }

    /// The consumer has given the queue up; what it had in hand goes to another.
    pub(crate) fn let_go(&self) {
        lock(&self.0).hand = None;
    }

    /// Takes note of what the broker says of the queue: messages that wait, and consumers, which get so many ahead.
    fn look(&self, at: Duration, said: Option<(u32, u32)>, prefetch: u16) {
        let mut measured = lock(&self.0);
        let hand = measured.hand.as_ref().map_or(0, |hand| hand.messages);
        let depth = said.map(|(ready, consumers)| depth(ready, consumers, prefetch, hand));
        let done = measured.done;
        measured.window.push(at, Sample { done, depth });
    }
}

/// Headers that say that a message is published now.
pub(crate) fn published_now() -> FieldTable {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let mut headers = FieldTable::default();
    headers.insert(
        PUBLISHED_AT.into(),
        AMQPValue::LongLongInt(i64::try_from(now).unwrap_or(i64::MAX)),
    );
    headers
}

/// When a message was published, in seconds of Unix time.
pub(crate) fn published_at(delivery: &Delivery) -> Option<f64> {
    let headers = delivery.properties.headers().as_ref()?;
    let micros = headers.inner().get(PUBLISHED_AT)?.as_long_long_int()?;
    Some(Duration::from_micros(u64::try_from(micros).ok()?).as_secs_f64())
}

/// Seconds of Unix time.
fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// What is behind the lock is plain numbers, which no panic leaves half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks the broker once a second how deep the queues are, on a connection of its own, until `stop`. Trouble of the broker is
/// the consumers' to report; here the depth is then unknown.
pub(crate) async fn watch(outbox: &Outbox, settings: &Settings, stop: &CancellationToken) {
    let service = settings.topology.service();
    let (names, prefetches): (Vec<String>, Vec<u16>) = settings
        .topology
        .subscriptions()
        .iter()
        .flat_map(|heard| {
            let queue = move |group| (heard.queue(service, group), prefetch(heard.guard()));
            (0..SLOT_GROUPS).map(queue)
        })
        .unzip();
    let mut link: Option<Link> = None;
    let (mut attempt, mut connect_at) = (0, Instant::now());
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let mut depths = HashMap::new();
        if link.is_some() || Instant::now() >= connect_at {
            match stop.run_until_cancelled(ask(&mut link, settings, &names)).await {
                None => break,
                Some(Ok(said)) => (depths, attempt) = (said, 0),
                Some(Err(error)) => {
                    tracing::debug!(causes = ?causes(&error), "the queues were not looked at");
                    link = None;
                    attempt += 1;
                    connect_at = Instant::now() + retry::backoff(attempt);
                }
            }
        }
        let at = outbox.meters().0.began.elapsed();
        for (name, prefetch) in names.iter().zip(&prefetches) {
            outbox.meters().of(name).look(at, depths.get(name.as_str()).copied(), *prefetch);
        }
        tell(&outbox.meters().report());
    }
    if let Some(link) = link {
        link.session.close().await;
    }
}

/// A connection with a channel to ask on.
struct Link {
    session: Session,
    channel: Channel,
}

/// Messages that wait and consumers, by queue.
async fn ask<'a>(
    link: &mut Option<Link>,
    settings: &Settings,
    names: &'a [String],
) -> Result<HashMap<&'a str, (u32, u32)>, Error> {
    let link = if let Some(link) = link {
        link
    } else {
        let name = format!("{}: queues", settings.topology.service());
        let mut session = Session::connect(&settings.amqp_url, &name, broker::HEARTBEAT).await?;
        let channel = session.lasting_channel().await?.clone();
        link.insert(Link { session, channel })
    };
    let mut depths = HashMap::with_capacity(names.len());
    for name in names {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let asked =
            link.channel.queue_declare(name.as_str().into(), options, FieldTable::default());
        let queue = within("looking at a queue", broker::ANSWER, asked).await?;
        depths.insert(name.as_str(), (queue.message_count(), queue.consumer_count()));
    }
    Ok(depths)
}

/// The figures as metrics.
fn tell(report: &QueueReport) {
    for figures in &report.queues {
        let tell = |name: &'static str, value: Option<f64>| {
            if let Some(value) = value {
                metrics::gauge!(name, "queue" => figures.queue.clone()).set(value);
            }
        };
        let in_seconds = |ms: Option<f64>| ms.map(|ms| ms / 1000.0);
        tell("messaging_queue_arrivals_per_second", Some(figures.arrivals_per_s));
        tell("messaging_queue_departures_per_second", Some(figures.departures_per_s));
        tell("messaging_queue_events", figures.in_queue_now);
        tell("messaging_queue_wait_seconds", in_seconds(figures.wait_ms));
        tell("messaging_queue_service_seconds", in_seconds(figures.service_ms));
        tell("messaging_queue_age_seconds", in_seconds(figures.age_ms));
        tell("messaging_queue_little_ratio", figures.little_ratio);
        tell("messaging_queue_utilisation", figures.utilisation);
        tell("messaging_queue_consumers_needed", figures.consumers_needed.map(f64::from));
    }
    if let Some(outbox) = &report.outbox {
        metrics::gauge!("messaging_outbox_arrivals_per_second").set(outbox.arrivals_per_s);
    }
}
