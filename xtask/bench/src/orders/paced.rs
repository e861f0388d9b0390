//! The time from the request to the confirmation, at a constant rate: an open loop.
//!
//! Orders arrive on a schedule, whether earlier ones are confirmed or not. Each is timed from its scheduled time, so a
//! slow order does not hide the wait of the next ones.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::{sync::Semaphore, task::JoinSet, time::sleep_until};

use super::BUYERS;
use crate::{
    buyers::{Buyers, Until},
    error::Error,
};

/// The same seed gives the same schedule.
const SEED: u64 = 1;

/// The first orders do not count.
const WARM_UP: Duration = Duration::from_secs(2);

/// The most arrivals of a schedule.
const MAX_ARRIVALS: usize = 1_000_000;

/// The times of all orders after the warm-up.
pub(super) async fn measure(
    buyers: &Arc<Buyers>,
    orders_per_second: f64,
    duration: Duration,
) -> Result<Vec<Duration>, Error> {
    // Bounds the connections. The time of an order includes its wait for one.
    let connections = Arc::new(Semaphore::new(BUYERS));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for arrival in schedule(orders_per_second, WARM_UP + duration, SEED) {
        let scheduled = began + arrival;
        sleep_until(scheduled.into()).await;
        let (buyers, connections) = (buyers.clone(), connections.clone());
        tasks.spawn(async move {
            let _connection = connections.acquire().await;
            buyers.order(Until::Decided).await?;
            Ok::<_, Error>((arrival, scheduled.elapsed()))
        });
    }
    let mut times = Vec::new();
    while let Some(ordered) = tasks.join_next().await {
        let (arrival, time) = ordered.map_err(|_| Error::Timeout("a buyer finishes"))??;
        if arrival >= WARM_UP {
            times.push(time);
        }
    }
    buyers.check_none_rejected()?;
    Ok(times)
}

/// Random arrivals that do not depend on one another: a Poisson process.
fn schedule(per_second: f64, duration: Duration, seed: u64) -> Vec<Duration> {
    let mut rng = StdRng::seed_from_u64(seed);
    let gaps = std::iter::repeat_with(move || -(1.0 - rng.random::<f64>()).ln() / per_second);
    let arrivals = gaps.scan(0.0, |now, gap| {
        *now += gap;
        Duration::try_from_secs_f64(*now).ok()
    });
    arrivals.take(MAX_ARRIVALS).take_while(|arrival| *arrival < duration).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::schedule;

    #[test]
    fn arrivals_have_the_rate_and_can_be_repeated() {
        let arrivals = schedule(200.0, Duration::from_mins(1), 7);
        assert!((11_500..12_500).contains(&arrivals.len()), "{}", arrivals.len());
        assert!(arrivals.is_sorted());
        assert_eq!(arrivals, schedule(200.0, Duration::from_mins(1), 7));
    }

    #[test]
    fn no_rate_gives_no_arrivals() {
        assert!(schedule(0.0, Duration::from_secs(1), 7).is_empty());
    }
}
