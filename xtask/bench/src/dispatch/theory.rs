//! Queueing theory of one server: waiting times for given arrivals and service times.

use std::time::Duration;

/// The arrival of one event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) at: Duration,
    /// Whether it is a small edit rather than bulk work.
    pub(super) is_small: bool,
}

/// A server that works on batches: its service time has a part per batch and a part per event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server {
    pub(super) per_batch: Duration,
    pub(super) per_event: Duration,
    /// The maximum batch size.
    pub(super) batch: u32,
}

impl Server {
    /// The service time of a batch of `number`.
    pub(super) fn time(&self, number: u32) -> Duration {
        self.per_batch + self.per_event * number
    }

    /// The service time per event while there is a backlog.
    pub(super) fn busy_time(&self) -> Duration {
        self.time(self.batch) / self.batch
    }
}

/// Which event the ideal server takes next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    /// The oldest.
    Fifo,
    /// The oldest small edit, else the oldest.
    SmallFirst,
    /// The newest if the oldest is older than this, else the oldest.
    NewestIfLate(Duration),
}

/// The time from each arrival to the end of its batch, for a server that is never idle while events wait.
/// With `Fifo` this is Lindley's recursion with batches. `arrivals` are sorted by time.
pub(super) fn ideal(arrivals: &[Arrival], server: Server, order: Order) -> Vec<Duration> {
    let mut waits = vec![Duration::ZERO; arrivals.len()];
    let mut waiting: Vec<usize> = Vec::new();
    let (mut clock, mut next) = (Duration::ZERO, 0);
    while next < arrivals.len() || !waiting.is_empty() {
        if waiting.is_empty() {
            clock = clock.max(arrivals[next].at);
        }
        while next < arrivals.len() && arrivals[next].at <= clock {
            waiting.push(next);
            next += 1;
        }
        let mut batch = Vec::new();
        while u32::try_from(batch.len()).is_ok_and(|taken| taken < server.batch)
            && !waiting.is_empty()
        {
            let index = match order {
                Order::Fifo => 0,
                Order::SmallFirst => {
                    waiting.iter().position(|one| arrivals[*one].is_small).unwrap_or(0)
                }
                Order::NewestIfLate(deadline) => {
                    if clock.saturating_sub(arrivals[waiting[0]].at) > deadline {
                        waiting.len() - 1
                    } else {
                        0
                    }
                }
            };
            batch.push(waiting.remove(index));
        }
        clock += server.time(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        for one in batch {
            waits[one] = clock.saturating_sub(arrivals[one].at);
        }
    }
    waits
}

/// The mean waiting time of a small edit during a backlog of bulk work: Cobham's formula for the first of two
/// non-preemptive classes.
///
/// It is the residual of the current batch (half a batch) divided by the share that the edits leave, plus the
/// edit's own batch. `share` is the utilisation by edits.
pub(super) fn cobham(server: Server, share: f64) -> Duration {
    let batch = server.time(server.batch);
    (batch / 2).div_f64(1.0 - share) + batch
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Arrival, Order, Server, cobham, ideal};

    const fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    const SINGLE: Server = Server { per_batch: Duration::ZERO, per_event: ms(10), batch: 1 };

    /// One arrival every 5 ms, every fifth is small; twice the capacity of the server.
    fn overload() -> Vec<Arrival> {
        (0..200).map(|n| Arrival { at: ms(5 * n), is_small: n % 5 == 0 }).collect()
    }

    fn mean(waits: &[Duration]) -> Duration {
        waits.iter().sum::<Duration>() / u32::try_from(waits.len()).unwrap()
    }

    #[test]
    fn fifo_is_lindleys_recursion() {
        let arrivals = [0, 5, 40].map(|at| Arrival { at: ms(at), is_small: true });
        assert_eq!(ideal(&arrivals, SINGLE, Order::Fifo), [ms(10), ms(15), ms(10)]);
        let pairs = Server { per_batch: ms(2), batch: 2, ..SINGLE };
        assert_eq!(ideal(&arrivals, pairs, Order::Fifo), [ms(12), ms(19), ms(12)]);
    }

    #[test]
    fn mean_is_the_same_in_any_order() {
        let arrivals = overload();
        let orders = [Order::Fifo, Order::SmallFirst, Order::NewestIfLate(ms(50))];
        let means = orders.map(|order| mean(&ideal(&arrivals, SINGLE, order)));
        assert_eq!([means[0]; 3], means);
    }

    #[test]
    fn small_edits_wait_as_in_cobhams_formula() {
        let arrivals = overload();
        let waits = ideal(&arrivals, SINGLE, Order::SmallFirst);
        let small = arrivals.iter().zip(&waits).filter(|(one, _)| one.is_small);
        let small: Vec<Duration> = small.map(|(_, wait)| *wait).collect();
        let ratio = mean(&small).div_duration_f64(cobham(SINGLE, 0.4));
        assert!((0.5..=1.1).contains(&ratio), "{ratio}");
    }
}
