//! Queue metrics: what consumers count, the depth of the queues as the broker reports it, and derived values.

pub(crate) mod calculation;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, Utc};
use lapin::{
    Channel,
    message::Delivery,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};
use serde::Serialize;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::calculation::{ConsumerCounters, OutboxSample, QueueSample, Window, depth};
pub use self::calculation::{OutboxMetrics, QueueMetrics};
use crate::{
    activity::Activity,
    broker::{self, Session},
    error::{Error, causes, with_timeout},
    retry,
    settings::Settings,
};

/// How often the depth of the queues is sampled, unless all are empty and the process rests.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// The header with the time at which the relay published a message, in microseconds of Unix time: the waiting time in the queue
/// begins there.
const PUBLISHED_AT: &str = "published_at_us";

/// Metrics of the queues of a service.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct QueueReport {
    /// The outbox of the service, shared by all its processes. `None` until two samples exist.
    pub outbox: Option<OutboxMetrics>,
    /// The queues of the service by name: their depth, and the work of this process.
    pub queues: Vec<QueueMetrics>,
}

/// The statistics of all queues of a process. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct StatsRegistry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    queues: Mutex<BTreeMap<String, Arc<QueueStats>>>,
    outbox: Mutex<Window<OutboxSample>>,
}

impl StatsRegistry {
    pub(crate) fn new() -> Self {
        let (queues, outbox) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { began: Instant::now(), queues, outbox }))
    }

    /// The statistics of a queue. They are the same object for the life of the process.
    pub(crate) fn queue(&self, name: &str) -> Arc<QueueStats> {
        lock(&self.0.queues).entry(name.to_owned()).or_default().clone()
    }

    /// Records a sample of the outbox: the last id, the number of rows, and the age of the oldest.
    pub(crate) fn observe_outbox(&self, last: i64, rows: i64, oldest: Duration) {
        lock(&self.0.outbox).push(self.0.began.elapsed(), OutboxSample { last, rows, oldest });
    }

    pub(crate) fn report(&self) -> QueueReport {
        let queues = lock(&self.0.queues);
        let metrics = queues.iter().filter_map(|(name, stats)| lock(&stats.0).window.metrics(name));
        QueueReport { outbox: lock(&self.0.outbox).metrics(), queues: metrics.collect() }
    }
}

/// The statistics of the consumer of one queue.
#[derive(Debug, Default)]
pub(crate) struct QueueStats(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counters: ConsumerCounters,
    in_progress: Option<InProgress>,
    window: Window<QueueSample>,
}

/// The batch being processed.
#[derive(Debug)]
struct InProgress {
    messages: u64,
    started: SystemTime,
    times: EventTimes,
}

/// The number of events, and the sums of their times.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EventTimes {
    events: u64,
    /// The sum of the publishing times, in seconds of Unix time.
    published_s: f64,
    /// The sum of the emission times, in seconds of Unix time.
    emitted_s: f64,
}

impl EventTimes {
    /// Adds the emission times of events. `published` is the publishing time of their message in seconds of Unix time, if known.
    pub(crate) fn add(
        &mut self,
        published: Option<f64>,
        emitted: impl IntoIterator<Item = DateTime<Utc>>,
    ) {
        for time in emitted {
            let emitted = seconds(time.into());
            self.events += 1;
            self.emitted_s += emitted;
            self.published_s += published.unwrap_or(emitted);
        }
    }
}

impl QueueStats {
    /// Records that the consumer holds `messages` unacknowledged messages and starts to process some of them.
    pub(crate) fn started(&self, messages: usize) {
        let messages = u64::try_from(messages).unwrap_or_default();
        let (started, times) = (SystemTime::now(), EventTimes::default());
        lock(&self.0).in_progress = Some(InProgress { messages, started, times });
    }

    /// Records the times of the events being processed. Repeated calls, after failures, replace each other.
    pub(crate) fn decoded(&self, times: EventTimes) {
        if let Some(in_progress) = &mut lock(&self.0).in_progress {
            in_progress.times = times;
        }
    }

    /// Records that the batch is committed and that `messages` messages are acknowledged.
    pub(crate) fn acknowledged(&self, messages: usize) {
        let mut state = lock(&self.0);
        let Some(InProgress { started, times, .. }) = state.in_progress.take() else { return };
        let busy = started.elapsed().unwrap_or_default().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "there are some hundreds")]
        let events = times.events as f64;
        let started_sum = events * seconds(started);
        let counters = &mut state.counters;
        counters.messages += u64::try_from(messages).unwrap_or_default();
        counters.events += times.events;
        // The clocks of two machines may differ; no event arrives before it was sent.
        counters.waited_s += (started_sum - times.published_s).max(0.0);
        counters.served_s += events * busy;
        counters.aged_s += (started_sum - times.emitted_s).max(0.0) + events * busy;
        counters.busy_s += busy;
    }

    /// Records that the consumer released the queue; its unacknowledged messages are redelivered elsewhere.
    pub(crate) fn released(&self) {
        lock(&self.0).in_progress = None;
    }

    /// Records a sample of the queue: the numbers of ready messages and consumers that the broker reported.
    fn sample(&self, at: Duration, reported: Option<(u32, u32)>, prefetch: u16) {
        let mut state = lock(&self.0);
        let unacknowledged = state.in_progress.as_ref().map_or(0, |batch| batch.messages);
        let depth =
            reported.map(|(ready, consumers)| depth(ready, consumers, prefetch, unacknowledged));
        let counters = state.counters;
        state.window.push(at, QueueSample { counters, depth });
    }
}

/// Headers with the current time as the publishing time.
pub(crate) fn publish_headers() -> FieldTable {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let mut headers = FieldTable::default();
    headers.insert(
        PUBLISHED_AT.into(),
        AMQPValue::LongLongInt(i64::try_from(now).unwrap_or(i64::MAX)),
    );
    headers
}

/// The publishing time of a message, in seconds of Unix time.
pub(crate) fn published_at(delivery: &Delivery) -> Option<f64> {
    let headers = delivery.properties.headers().as_ref()?;
    let micros = headers.inner().get(PUBLISHED_AT)?.as_long_long_int()?;
    Some(Duration::from_micros(u64::try_from(micros).ok()?).as_secs_f64())
}

/// Seconds of Unix time.
fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Ignores poisoning: the data are plain numbers, which are valid after any panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Samples the depth of `queues`, given with their prefetch, on a connection of its own until `stop`. During an outage of the
/// broker, which the consumers report, the depth is unknown.
pub(crate) async fn watch(
    stats: &StatsRegistry,
    settings: &Settings,
    queues: &[(String, u16)],
    activity: &Activity,
    stop: &CancellationToken,
) {
    let mut probe: Option<Probe> = None;
    let (mut attempt, mut connect_at) = (0, Instant::now());
    while !stop.is_cancelled() {
        let mut depths = HashMap::new();
        if probe.is_some() || Instant::now() >= connect_at {
            match stop.run_until_cancelled(read_depths(&mut probe, settings, queues)).await {
                None => break,
                Some(Ok(reported)) => (depths, attempt) = (reported, 0),
                Some(Err(error)) => {
                    tracing::debug!(causes = ?causes(&error), "failed to read the depth of the queues");
                    probe = None;
                    attempt += 1;
                    connect_at = Instant::now() + retry::backoff(attempt);
                }
            }
        }
        let at = stats.0.began.elapsed();
        for (name, prefetch) in queues {
            stats.queue(name).sample(at, depths.get(name.as_str()).copied(), *prefetch);
        }
        export(&stats.report());
        let are_empty =
            depths.len() == queues.len() && depths.values().all(|(ready, _)| *ready == 0);
        let pause = async {
            if are_empty {
                activity.pause(SAMPLE_INTERVAL).await;
            } else {
                sleep(SAMPLE_INTERVAL).await;
            }
        };
        stop.run_until_cancelled(pause).await;
    }
    if let Some(probe) = probe {
        probe.session.close().await;
    }
}

/// A connection with a channel for passive declarations.
struct Probe {
    session: Session,
    channel: Channel,
}

/// Reads the numbers of ready messages and of consumers by queue.
async fn read_depths<'a>(
    probe: &mut Option<Probe>,
    settings: &Settings,
    queues: &'a [(String, u16)],
) -> Result<HashMap<&'a str, (u32, u32)>, Error> {
    let probe = if let Some(probe) = probe {
        probe
    } else {
        let name = format!("{}: queues", settings.service);
        let mut session = Session::connect(&settings.amqp_url, &name, broker::HEARTBEAT).await?;
        let channel = session.lasting_channel().await?.clone();
        probe.insert(Probe { session, channel })
    };
    let mut depths = HashMap::with_capacity(queues.len());
    for (name, _) in queues {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared =
            probe.channel.queue_declare(name.as_str().into(), options, FieldTable::default());
        let queue =
            with_timeout("reading the depth of a queue", broker::REPLY_TIMEOUT, declared).await?;
        depths.insert(name.as_str(), (queue.message_count(), queue.consumer_count()));
    }
    Ok(depths)
}

/// Exports the report as metrics.
fn export(report: &QueueReport) {
    for queue in &report.queues {
        let set = |name: &'static str, value: Option<f64>| {
            if let Some(value) = value {
                metrics::gauge!(name, "queue" => queue.queue.clone()).set(value);
            }
        };
        let in_seconds = |ms: Option<f64>| ms.map(|ms| ms / 1000.0);
        set("messaging_queue_arrivals_per_second", Some(queue.arrivals_per_s));
        set("messaging_queue_departures_per_second", Some(queue.departures_per_s));
        set("messaging_queue_events", queue.in_queue_now);
        set("messaging_queue_wait_seconds", in_seconds(queue.wait_ms));
        set("messaging_queue_service_seconds", in_seconds(queue.service_ms));
        set("messaging_queue_age_seconds", in_seconds(queue.age_ms));
        set("messaging_queue_little_ratio", queue.little_ratio);
        set("messaging_queue_utilisation", queue.utilisation);
        set("messaging_queue_consumers_needed", queue.consumers_needed.map(f64::from));
    }
    if let Some(outbox) = &report.outbox {
        metrics::gauge!("messaging_outbox_arrivals_per_second").set(outbox.arrivals_per_s);
    }
}
