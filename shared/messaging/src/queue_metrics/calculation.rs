//! Calculates queue metrics from samples, without I/O.
//!
//! Little's law: over a long period, the mean number of events in a queue (L) equals the arrival rate times
//! the mean time that an event stays (λ·W). The consumer counts departures and measures W with clocks; the
//! broker reports L. λ is derived: the departures plus the growth of the queue over the window. In a steady
//! queue λ is a pure count, so the three values are independent. If they disagree, something is not observed:
//! messages outside the counted queue, or clocks that differ.

use std::{collections::VecDeque, time::Duration};

use serde::Serialize;

/// The period that the metrics cover.
pub(crate) const WINDOW: Duration = Duration::from_secs(30);

/// The highest acceptable utilisation of one consumer. Above it, a small burst makes the queue grow without
/// bound.
const MAX_UTILISATION: f64 = 0.8;

/// The minimum number of events in a queue, measured or calculated, for a comparison. Below, chance
/// dominates.
const MIN_COMPARABLE: f64 = 1.0;

/// A queue as its consumer in this process sees it, over the last half minute.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueMetrics {
    pub queue: String,
    /// The period covered, in seconds.
    pub window_s: f64,
    /// λ: events that entered the queue, per second.
    pub arrivals_per_s: f64,
    /// Events that this process took from the queue, per second. If there are none, the times below are
    /// unknown here.
    pub departures_per_s: f64,
    /// L: the mean number of events in the queue or being processed: messages times the mean number of events
    /// per message. `None` while the broker does not answer.
    pub in_queue: Option<f64>,
    /// The same at the last sample.
    pub in_queue_now: Option<f64>,
    /// The mean time from publishing by the relay to the start of processing.
    pub wait_ms: Option<f64>,
    /// The mean time from there to commit and acknowledgement of the whole batch.
    pub service_ms: Option<f64>,
    /// The mean time from the commit that emitted an event to the commit of its effect, outbox included.
    pub age_ms: Option<f64>,
    /// L ÷ λW: about one if everything is observed. `None` if the queue is too short for a comparison.
    pub little_ratio: Option<f64>,
    /// λ times the work per event: the number of consumers that this load would keep fully busy.
    pub utilisation: Option<f64>,
    /// The number of consumers that the load needs at a utilisation of at most 0.8.
    pub consumers_needed: Option<u32>,
    /// The current number of consumers.
    pub consumers: Option<u32>,
}

/// The outbox as a queue, over the last half minute; the same for all processes of the service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutboxMetrics {
    /// The period covered, in seconds.
    pub window_s: f64,
    /// λ: emitted events per second.
    pub arrivals_per_s: f64,
    /// L: the mean number of unpublished events.
    pub in_queue: f64,
    /// The same at the last sample.
    pub in_queue_now: f64,
    /// W: the mean age of the oldest unpublished event, over the samples that found one.
    pub wait_ms: Option<f64>,
    /// L ÷ λW: about one if everything is observed. `None` if the outbox is too short for a comparison.
    pub little_ratio: Option<f64>,
}

/// Counters of a consumer since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ConsumerCounters {
    pub(crate) messages: u64,
    pub(crate) events: u64,
    /// Sum over all events: seconds from publishing to the start of processing.
    pub(crate) waited_s: f64,
    /// Sum over all events: seconds from there to the acknowledgement.
    pub(crate) served_s: f64,
    /// Sum over all events: seconds from emission to the acknowledgement.
    pub(crate) aged_s: f64,
    /// Sum over all batches: seconds of work.
    pub(crate) busy_s: f64,
}

/// The depth of a queue as the broker reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Depth {
    /// Ready and unacknowledged messages.
    pub(crate) messages: u64,
    pub(crate) consumers: u32,
}

/// Ready and unacknowledged messages. The broker reports only the ready ones. While there are any, the
/// consumers hold as many unacknowledged messages as the prefetch allows. Otherwise the count of this
/// consumer is used.
pub(crate) fn depth(ready: u32, consumers: u32, prefetch: u16, held: u64) -> Depth {
    let unacknowledged = match (ready, consumers) {
        (_, 0) => 0,
        (0, _) => held,
        (_, _) => u64::from(prefetch),
    };
    Depth { messages: u64::from(ready) + unacknowledged, consumers }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueSample {
    pub(crate) counters: ConsumerCounters,
    pub(crate) depth: Option<Depth>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct OutboxSample {
    /// The last id assigned.
    pub(crate) last: i64,
    pub(crate) rows: i64,
    pub(crate) oldest: Duration,
}

/// The samples of the last [`WINDOW`], oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Window<S>(VecDeque<(Duration, S)>);

impl<S> Default for Window<S> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<S> Window<S> {
    /// Adds a sample; `at` is the time since the start of the process.
    pub(crate) fn push(&mut self, at: Duration, sample: S) {
        self.0.push_back((at, sample));
        while self.0.front().is_some_and(|(first, _)| at.saturating_sub(*first) > WINDOW) {
            self.0.pop_front();
        }
    }

    /// The first and the last sample, and the seconds between them.
    fn ends(&self) -> Option<(&S, &S, f64)> {
        let ((first_at, first), (last_at, last)) = (self.0.front()?, self.0.back()?);
        let seconds = last_at.saturating_sub(*first_at).as_secs_f64();
        (seconds > 0.0).then_some((first, last, seconds))
    }

    fn samples(&self) -> impl Iterator<Item = &S> {
        self.0.iter().map(|(_, sample)| sample)
    }
}

impl Window<QueueSample> {
    /// The metrics of the queue `queue`; `None` until two samples exist.
    pub(crate) fn metrics(&self, queue: &str) -> Option<QueueMetrics> {
        let (first, last, window_s) = self.ends()?;
        let (before, after) = (first.counters, last.counters);
        let events = to_f64(after.events - before.events);
        let per_message = ratio(events, to_f64(after.messages - before.messages))
            .or_else(|| ratio(to_f64(after.events), to_f64(after.messages)))
            .unwrap_or(1.0);
        let in_events = |depth: Depth| to_f64(depth.messages) * per_message;
        let in_queue = mean(self.samples().filter_map(|sample| sample.depth).map(in_events));
        let growth = match (first.depth, last.depth) {
            (Some(first), Some(last)) => in_events(last) - in_events(first),
            (None, _) | (_, None) => 0.0,
        };
        let arrivals_per_s = (events + growth).max(0.0) / window_s;
        let each = |before: f64, after: f64| ratio(after - before, events);
        let wait = each(before.waited_s, after.waited_s);
        let service = each(before.served_s, after.served_s);
        let stay = wait.zip(service).map(|(wait, service)| wait + service);
        let work = each(before.busy_s, after.busy_s);
        let utilisation = work.map(|work| arrivals_per_s * work);
        Some(QueueMetrics {
            queue: queue.to_owned(),
            window_s,
            arrivals_per_s,
            departures_per_s: events / window_s,
            in_queue,
            in_queue_now: last.depth.map(in_events),
            wait_ms: wait.map(ms),
            service_ms: service.map(ms),
            age_ms: each(before.aged_s, after.aged_s).map(ms),
            little_ratio: little(in_queue, arrivals_per_s, stay),
            utilisation,
            consumers_needed: utilisation.map(consumers_needed),
            consumers: last.depth.map(|depth| depth.consumers),
        })
    }
}

impl Window<OutboxSample> {
    /// The metrics of the outbox; `None` until two samples exist.
    pub(crate) fn metrics(&self) -> Option<OutboxMetrics> {
        let (first, last, window_s) = self.ends()?;
        let rows = |sample: &OutboxSample| to_f64(u64::try_from(sample.rows).unwrap_or_default());
        let emitted = to_f64(u64::try_from(last.last - first.last).unwrap_or_default());
        let in_queue = mean(self.samples().map(rows)).unwrap_or_default();
        let found_any = self.samples().filter(|sample| sample.rows > 0);
        let wait = mean(found_any.map(|sample| sample.oldest.as_secs_f64()));
        let arrivals_per_s = emitted / window_s;
        Some(OutboxMetrics {
            window_s,
            arrivals_per_s,
            in_queue,
            in_queue_now: rows(last),
            wait_ms: wait.map(ms),
            little_ratio: little(Some(in_queue), arrivals_per_s, wait),
        })
    }
}

/// L ÷ λW, if both are large enough for a comparison.
fn little(in_queue: Option<f64>, arrivals_per_s: f64, stay_s: Option<f64>) -> Option<f64> {
    let (in_queue, expected) = (in_queue?, arrivals_per_s * stay_s?);
    (in_queue.max(expected) >= MIN_COMPARABLE).then(|| ratio(in_queue, expected)).flatten()
}

/// The number of consumers that a load needs which keeps `utilisation` consumers fully busy.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is small and not negative"
)]
fn consumers_needed(utilisation: f64) -> u32 {
    (utilisation / MAX_UTILISATION).ceil() as u32
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    ratio(sum, count)
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then_some(part / whole)
}

fn ms(seconds: f64) -> f64 {
    seconds * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "an error of one in a billion is irrelevant")]
const fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        ConsumerCounters, Depth, OutboxSample, QueueSample, Window, consumers_needed, depth,
    };

    /// One sample per second of a queue with `messages` messages of 10 events each, of which `rate` are
    /// processed per second.
    fn steady(
        seconds: u64,
        messages: impl Fn(u64) -> u64,
        rate: u64,
        stay_s: f64,
    ) -> Window<QueueSample> {
        let mut window = Window::default();
        for second in 0..=seconds {
            let processed = rate * second;
            let events = processed * 10;
            let of_all = |each: f64| super::to_f64(events) * each;
            let sample = QueueSample {
                counters: ConsumerCounters {
                    messages: processed,
                    events,
                    waited_s: of_all(stay_s - 0.1),
                    served_s: of_all(0.1),
                    aged_s: of_all(stay_s + 0.05),
                    busy_s: of_all(0.002),
                },
                depth: Some(Depth { messages: messages(second), consumers: 1 }),
            };
            window.push(Duration::from_secs(second), sample);
        }
        window
    }

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-6 * right.abs().max(1.0)
    }

    #[test]
    fn a_steady_queue_obeys_littles_law() {
        // 40 messages a second stay for two seconds: 80 messages, or 800 events, are in the queue.
        let metrics = steady(20, |_| 80, 40, 2.0).metrics("q").unwrap();
        assert!(close(metrics.arrivals_per_s, 400.0), "{metrics:?}");
        assert!(close(metrics.departures_per_s, 400.0), "{metrics:?}");
        assert!(close(metrics.in_queue.unwrap(), 800.0), "{metrics:?}");
        assert!(close(metrics.wait_ms.unwrap(), 1900.0), "{metrics:?}");
        assert!(close(metrics.service_ms.unwrap(), 100.0), "{metrics:?}");
        assert!(close(metrics.age_ms.unwrap(), 2050.0), "{metrics:?}");
        assert!(close(metrics.little_ratio.unwrap(), 1.0), "{metrics:?}");
        assert!(close(metrics.utilisation.unwrap(), 0.8), "{metrics:?}");
        assert_eq!((metrics.consumers_needed, metrics.consumers), (Some(1), Some(1)));
    }

    #[test]
    fn unobserved_messages_show_in_the_ratio() {
        let metrics = steady(20, |_| 20, 40, 2.0).metrics("q").unwrap();
        assert!(close(metrics.little_ratio.unwrap(), 0.25), "{metrics:?}");
    }

    #[test]
    fn a_queue_that_grows_has_more_arrivals_than_departures() {
        let metrics = steady(10, |second| 10 * second, 40, 1.0).metrics("q").unwrap();
        assert!(close(metrics.departures_per_s, 400.0), "{metrics:?}");
        assert!(close(metrics.arrivals_per_s, 500.0), "{metrics:?}");
        assert!(close(metrics.in_queue_now.unwrap(), 1000.0), "{metrics:?}");
        assert_eq!(metrics.consumers_needed, Some(2), "one would be fully busy");
    }

    #[test]
    fn an_idle_queue_has_no_times() {
        let metrics = steady(10, |_| 0, 0, 0.0).metrics("q").unwrap();
        assert!(close(metrics.arrivals_per_s, 0.0), "{metrics:?}");
        assert_eq!(metrics.in_queue, Some(0.0));
        assert_eq!((metrics.wait_ms, metrics.little_ratio), (None, None));
        assert_eq!(metrics.consumers_needed, None);
        assert!(Window::<QueueSample>::default().metrics("q").is_none());
    }

    #[test]
    fn old_samples_are_dropped() {
        let window = steady(100, |second| if second < 60 { 1000 } else { 80 }, 40, 2.0);
        let metrics = window.metrics("q").unwrap();
        assert!(close(metrics.window_s, 30.0), "{metrics:?}");
        assert!(close(metrics.in_queue.unwrap(), 800.0), "{metrics:?}");
    }

    #[test]
    fn the_outbox_is_measured_like_a_queue() {
        let mut window = Window::<OutboxSample>::default();
        for second in 0..10 {
            let last = i64::try_from(second).unwrap() * 200;
            let sample = OutboxSample { last, rows: 100, oldest: Duration::from_millis(500) };
            window.push(Duration::from_secs(second), sample);
        }
        let metrics = window.metrics().unwrap();
        assert!(close(metrics.arrivals_per_s, 200.0), "{metrics:?}");
        assert!(close(metrics.wait_ms.unwrap(), 500.0), "{metrics:?}");
        assert!(close(metrics.little_ratio.unwrap(), 1.0), "{metrics:?}");
    }

    #[test]
    fn unacknowledged_messages_count_as_queued() {
        assert_eq!(depth(10, 1, 96, 3).messages, 106, "up to the prefetch");
        assert_eq!(depth(0, 1, 96, 3).messages, 3);
        assert_eq!(depth(10, 0, 96, 0).messages, 10, "without a consumer");
    }

    #[test]
    fn the_utilisation_is_at_most_four_fifths() {
        assert_eq!(consumers_needed(0.0), 0);
        assert_eq!(consumers_needed(0.3), 1);
        assert_eq!(consumers_needed(0.81), 2);
        assert_eq!(consumers_needed(2.5), 4);
    }
}
