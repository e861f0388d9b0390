//! Queueing figures out of samples, without any I/O.
//!
//! Little's law: in the long run as many are in a queue on average (L) as arrive in the time that one of them stays (λ·W).
//! Measured are what the consumer has taken off, by counting, W, by clocks, and L, by asking how many there are. λ is derived: what
//! was taken off, and by how many the last look found more than the first. In a queue that neither grows nor shrinks it is a count,
//! and the three do not agree by themselves. Where they differ something is not seen: messages that wait where nobody looks, or clocks
//! that differ.

use std::{collections::VecDeque, time::Duration};

use serde::Serialize;

/// How far back figures look.
pub(crate) const WINDOW: Duration = Duration::from_secs(30);

/// How busy one consumer should be at most: a queue before a server that is busier grows beyond all bounds at the least gust.
const BUSIEST: f64 = 0.8;

/// How many must be in a queue, by either account, before the two are compared: about the last few chance decides.
const COMPARABLE: f64 = 1.0;

/// A queue of the broker as its consumer sees it, over the last half minute.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueMetrics {
    /// The queue.
    pub queue: String,
    /// How many seconds the figures are about.
    pub window_s: f64,
    /// λ: events that came into the queue, per second.
    pub arrivals_per_s: f64,
    /// Events that this process has taken off the queue, per second. Without any the times below are not known here.
    pub departures_per_s: f64,
    /// L: events in the queue and in hand, on average. Messages are counted and multiplied by how many events one holds. None
    /// while the broker does not answer.
    pub in_queue: Option<f64>,
    /// The same at the last look.
    pub in_queue_now: Option<f64>,
    /// From the relay's publishing to the hands of the consumer, on average.
    pub wait_ms: Option<f64>,
    /// From there until its effect was committed and acknowledged, with all that was taken together, on average.
    pub service_ms: Option<f64>,
    /// From the commit that said it until its effect was committed, on average: the outbox included.
    pub age_ms: Option<f64>,
    /// L ÷ λW: about one where all is seen. None where too few are in the queue to say.
    pub little_ratio: Option<f64>,
    /// λ times the work on one event: how many consumers this load would keep busy all the time.
    pub utilisation: Option<f64>,
    /// How many consumers the load needs, none busier than four fifths of the time.
    pub consumers_needed: Option<u32>,
    /// How many there are.
    pub consumers: Option<u32>,
}

/// The outbox as a queue, over the last half minute; of the service as a whole, whichever process is asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutboxMetrics {
    /// How many seconds the figures are about.
    pub window_s: f64,
    /// λ: events that were said, per second.
    pub arrivals_per_s: f64,
    /// L: events that wait to leave, on average.
    pub in_queue: f64,
    /// The same at the last look.
    pub in_queue_now: f64,
    /// W: how long the next that leaves has waited, on average over the looks that found any.
    pub wait_ms: Option<f64>,
    /// L ÷ λW: about one where all is seen. None where too few wait to say.
    pub little_ratio: Option<f64>,
}

/// What a consumer has done, counted since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Done {
    pub(crate) messages: u64,
    pub(crate) events: u64,
    /// Over all events: seconds from publishing to the consumer's hands.
    pub(crate) waited_s: f64,
    /// Over all events: seconds from there until they were done.
    pub(crate) served_s: f64,
    /// Over all events: seconds from being said until they were done.
    pub(crate) aged_s: f64,
    /// Over all batches: seconds of work.
    pub(crate) busy_s: f64,
}

/// What the broker says of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Depth {
    /// Messages that wait, and messages that are handed out.
    pub(crate) messages: u64,
    pub(crate) consumers: u32,
}

/// How many messages of a queue are not done. The broker tells only those that it has not handed out. While there are any, it
/// has handed out as many as it may; else those are the ones in `hand`, as far as the consumer has come to look at them.
pub(crate) fn depth(ready: u32, consumers: u32, prefetch: u16, hand: u64) -> Depth {
    let handed_out = match (ready, consumers) {
        (_, 0) => 0,
        (0, _) => hand,
        (_, _) => u64::from(prefetch),
    };
    Depth { messages: u64::from(ready) + handed_out, consumers }
}

/// A queue at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) done: Done,
    pub(crate) depth: Option<Depth>,
}

/// The outbox at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutboxSample {
    /// The last number given out.
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
    /// Takes note of a sample, `at` so long since the process began to look.
    pub(crate) fn push(&mut self, at: Duration, sample: S) {
        self.0.push_back((at, sample));
        while self.0.front().is_some_and(|(first, _)| at.saturating_sub(*first) > WINDOW) {
            self.0.pop_front();
        }
    }

    /// The first and the last, and how many seconds lie between, if there are two.
    fn ends(&self) -> Option<(&S, &S, f64)> {
        let ((first_at, first), (last_at, last)) = (self.0.front()?, self.0.back()?);
        let seconds = last_at.saturating_sub(*first_at).as_secs_f64();
        (seconds > 0.0).then_some((first, last, seconds))
    }

    fn samples(&self) -> impl Iterator<Item = &S> {
        self.0.iter().map(|(_, sample)| sample)
    }
}

impl Window<Sample> {
    /// What the samples say of `queue`; nothing before there are two.
    pub(crate) fn figures(&self, queue: &str) -> Option<QueueMetrics> {
        let (first, last, window_s) = self.ends()?;
        let (before, after) = (first.done, last.done);
        let events = float(after.events - before.events);
        let per_message = ratio(events, float(after.messages - before.messages))
            .or_else(|| ratio(float(after.events), float(after.messages)))
            .unwrap_or(1.0);
        let in_events = |depth: Depth| float(depth.messages) * per_message;
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
    /// What the samples say of the outbox; nothing before there are two.
    pub(crate) fn figures(&self) -> Option<OutboxMetrics> {
        let (first, last, window_s) = self.ends()?;
        let rows = |sample: &OutboxSample| float(u64::try_from(sample.rows).unwrap_or_default());
        let said = float(u64::try_from(last.last - first.last).unwrap_or_default());
        let in_queue = mean(self.samples().map(rows)).unwrap_or_default();
        let found_any = self.samples().filter(|sample| sample.rows > 0);
        let wait = mean(found_any.map(|sample| sample.oldest.as_secs_f64()));
        let arrivals_per_s = said / window_s;
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

/// L ÷ λW, if there is enough of either to compare.
fn little(in_queue: Option<f64>, arrivals_per_s: f64, stay_s: Option<f64>) -> Option<f64> {
    let (in_queue, expected) = (in_queue?, arrivals_per_s * stay_s?);
    (in_queue.max(expected) >= COMPARABLE).then(|| ratio(in_queue, expected)).flatten()
}

/// How many consumers a load needs that would keep so many busy all the time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is a small number that is not negative"
)]
fn consumers_needed(utilisation: f64) -> u32 {
    (utilisation / BUSIEST).ceil() as u32
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

#[expect(clippy::cast_precision_loss, reason = "one more or less of a billion changes no figure")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Depth, Done, OutboxSample, Sample, Window, consumers_needed, depth};

    /// One sample a second of a queue with so many messages of 10 events in it, of which `rate` messages are done a second.
    fn steady(
        seconds: u64,
        messages: impl Fn(u64) -> u64,
        rate: u64,
        stay_s: f64,
    ) -> Window<Sample> {
        let mut window = Window::default();
        for second in 0..=seconds {
            let messages_done = rate * second;
            let events = messages_done * 10;
            let of_all = |each: f64| super::float(events) * each;
            let sample = Sample {
                done: Done {
                    messages: messages_done,
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
        // 40 messages a second stay for two seconds: 80 of them are there, 800 events.
        let figures = steady(20, |_| 80, 40, 2.0).figures("q").unwrap();
        assert!(close(figures.arrivals_per_s, 400.0), "{figures:?}");
        assert!(close(figures.departures_per_s, 400.0), "{figures:?}");
        assert!(close(figures.in_queue.unwrap(), 800.0), "{figures:?}");
        assert!(close(figures.wait_ms.unwrap(), 1900.0), "{figures:?}");
        assert!(close(figures.service_ms.unwrap(), 100.0), "{figures:?}");
        assert!(close(figures.age_ms.unwrap(), 2050.0), "{figures:?}");
        assert!(close(figures.little_ratio.unwrap(), 1.0), "{figures:?}");
        assert!(close(figures.utilisation.unwrap(), 0.8), "{figures:?}");
        assert_eq!((figures.consumers_needed, figures.consumers), (Some(1), Some(1)));
    }

    #[test]
    fn what_is_not_seen_shows_in_the_ratio() {
        let figures = steady(20, |_| 20, 40, 2.0).figures("q").unwrap();
        assert!(close(figures.little_ratio.unwrap(), 0.25), "{figures:?}");
    }

    #[test]
    fn a_queue_that_grows_has_more_arrivals_than_departures() {
        let figures = steady(10, |second| 10 * second, 40, 1.0).figures("q").unwrap();
        assert!(close(figures.departures_per_s, 400.0), "{figures:?}");
        assert!(close(figures.arrivals_per_s, 500.0), "{figures:?}");
        assert!(close(figures.in_queue_now.unwrap(), 1000.0), "{figures:?}");
        assert_eq!(figures.consumers_needed, Some(2), "one is busy all the time");
    }

    #[test]
    fn an_idle_queue_says_nothing_of_times() {
        let figures = steady(10, |_| 0, 0, 0.0).figures("q").unwrap();
        assert!(close(figures.arrivals_per_s, 0.0), "{figures:?}");
        assert_eq!(figures.in_queue, Some(0.0));
        assert_eq!((figures.wait_ms, figures.little_ratio), (None, None));
        assert_eq!(figures.consumers_needed, None);
        assert!(Window::<Sample>::default().figures("q").is_none());
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let window = steady(100, |second| if second < 60 { 1000 } else { 80 }, 40, 2.0);
        let figures = window.figures("q").unwrap();
        assert!(close(figures.window_s, 30.0), "{figures:?}");
        assert!(close(figures.in_queue.unwrap(), 800.0), "{figures:?}");
    }

    #[test]
    fn an_outbox_is_a_queue_too() {
        let mut window = Window::<OutboxSample>::default();
        for second in 0..10 {
            let last = i64::try_from(second).unwrap() * 200;
            let sample = OutboxSample { last, rows: 100, oldest: Duration::from_millis(500) };
            window.push(Duration::from_secs(second), sample);
        }
        let figures = window.figures().unwrap();
        assert!(close(figures.arrivals_per_s, 200.0), "{figures:?}");
        assert!(close(figures.wait_ms.unwrap(), 500.0), "{figures:?}");
        assert!(close(figures.little_ratio.unwrap(), 1.0), "{figures:?}");
    }

    #[test]
    fn messages_that_were_handed_out_are_in_the_queue_still() {
        assert_eq!(depth(10, 1, 96, 3).messages, 106, "it hands out what it may");
        assert_eq!(depth(0, 1, 96, 3).messages, 3);
        assert_eq!(depth(10, 0, 96, 0).messages, 10, "to nobody");
    }

    #[test]
    fn nobody_is_to_be_busier_than_four_fifths() {
        assert_eq!(consumers_needed(0.0), 0);
        assert_eq!(consumers_needed(0.3), 1);
        assert_eq!(consumers_needed(0.81), 2);
        assert_eq!(consumers_needed(2.5), 4);
    }
}
