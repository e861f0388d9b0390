//! The dispatch orders under one overload, held against what queueing theory says, and a batch size that adapts beside a fixed one.
//!
//! Everything goes the whole way: transaction, outbox, relay, quorum queue, consumer, committed effect.

#![expect(clippy::disallowed_methods, reason = "the tables of a bench exist only while it runs")]

mod batching;
mod overload;
mod stage;
mod theory;

use std::{num::NonZeroU32, time::Duration};

use messaging::{BatchSize, Dispatch};

use self::{
    overload::Seen,
    theory::{Arrival, Order, cobham, ideal},
};
use super::{
    Options,
    figures::{Figures, Goal::Told, percentile_ms},
};
use crate::{failure::Failure, install, say};

/// How many small edits are taken for each event of bulk work.
const NORMAL_PER_BULK: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);

/// How old an event may become before the freshest come first.
const DEADLINE: Duration = Duration::from_millis(250);

/// What all arrivals are drawn from.
const SEED: u64 = 7;

/// The batch that nothing adapts.
const FIXED: BatchSize = BatchSize::Fixed(512);

/// Measures the dispatch orders.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    install::servers(true, true).await?;
    let mut figures = Figures::default();
    say::line("dispatch, beside what theory says:");
    let server = overload::calibrate().await?;

    let freshest = Dispatch::FreshestFirst { deadline: DEADLINE };
    let lanes = Dispatch::PriorityClasses { normal_per_bulk: NORMAL_PER_BULK };
    let orders = [
        ("fifo", Dispatch::Fifo, Order::Fifo),
        ("lanes", lanes, Order::SmallFirst),
        ("freshest", freshest, Order::NewestIfLate(DEADLINE)),
    ];
    for (name, dispatch, order) in orders {
        let seen = overload::run(dispatch, server, SEED).await?;
        compare(&mut figures, name, &seen, order);
    }

    for (name, per_event, bulk) in
        [("fast", Duration::ZERO, 40_000), ("slow", Duration::from_millis(2), 3_000)]
    {
        let fixed = batching::measure(FIXED, per_event, bulk).await?;
        let adaptive = batching::measure(BatchSize::default(), per_event, bulk).await?;
        let mut take =
            |what: &str, value, goal| figures.take(format!("{name}_{what}"), value, goal);
        take("fixed_events_per_s", fixed.events_per_second, Told);
        take("adaptive_events_per_s", adaptive.events_per_second, Told);
        let ratio = adaptive.events_per_second / fixed.events_per_second;
        take("adaptive_over_fixed", ratio, Told);
        take("fixed_edit_p99_ms", fixed.edit_p99_ms, Told);
        take("adaptive_edit_p99_ms", adaptive.edit_p99_ms, Told);
    }
    figures.write(options.json.as_deref())
}

/// Takes what was seen of one order, beside what the ideal server would have made of the same arrivals.
fn compare(figures: &mut Figures, name: &str, seen: &Seen, order: Order) {
    let Seen { server, arrivals, waits } = seen;
    figures.take(format!("{name}_service_time_ms"), ms(server.busy_time()), Told);
    let theory = ideal(arrivals, *server, order);
    let is_in_burst = |one: &Arrival| one.at < overload::burst_ends();
    let all: Part = |_| true;
    let small: Part = |one| one.is_small;
    let bulk: Part = |one| !one.is_small;
    for (part, belongs) in [("", all), ("small_", small), ("bulk_", bulk)] {
        let of = |waits: &[Duration]| {
            let both = arrivals.iter().zip(waits).filter(|(one, _)| belongs(one));
            both.map(|(_, wait)| *wait).collect::<Vec<_>>()
        };
        let (mut waits, mut theory) = (of(waits), of(&theory));
        pair(figures, &format!("{name}_{part}wait_mean"), mean_ms(&waits), mean_ms(&theory));
        let (wait, ideal) = (percentile_ms(&mut waits, 99), percentile_ms(&mut theory, 99));
        pair(figures, &format!("{name}_{part}wait_p99"), wait, ideal);
    }
    let on_time = |waits: &[Duration]| {
        let burst = arrivals.iter().zip(waits).filter(|(one, _)| is_in_burst(one));
        let late: Vec<f64> =
            burst.map(|(_, wait)| if *wait <= DEADLINE { 1.0 } else { 0.0 }).collect();
        mean(&late)
    };
    figures.take(format!("{name}_burst_on_time"), on_time(waits), Told);
    figures.take(format!("{name}_burst_on_time_theory"), on_time(&theory), Told);
    let of_small = arrivals.iter().zip(waits).filter(|(one, _)| one.is_small && is_in_burst(one));
    let of_small: Vec<Duration> = of_small.map(|(_, wait)| *wait).collect();
    figures.take(format!("{name}_small_burst_wait_mean_ms"), mean_ms(&of_small), Told);
    if let Order::SmallFirst = order {
        let number = f64::from(u32::try_from(of_small.len()).unwrap_or(u32::MAX));
        let share = number * server.busy_time().div_duration_f64(overload::burst_ends());
        let by_cobham = cobham(*server, share);
        figures.take(format!("{name}_small_burst_wait_mean_cobham_ms"), ms(by_cobham), Told);
    }
    // Kleinrock's conservation law: no order changes the mean over all of a server that never rests.
    let first_come = mean_ms(&ideal(arrivals, *server, Order::Fifo));
    figures.take(format!("{name}_conservation"), mean_ms(waits) / first_come, Told);
}

/// Which arrivals count.
type Part = fn(&Arrival) -> bool;

/// What was measured, what theory says, and their ratio.
fn pair(figures: &mut Figures, name: &str, measured: f64, theory: f64) {
    figures.take(format!("{name}_ms"), measured, Told);
    figures.take(format!("{name}_theory_ms"), theory, Told);
    figures.take(format!("{name}_ratio"), measured / theory, Told);
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn mean_ms(times: &[Duration]) -> f64 {
    mean(&times.iter().copied().map(ms).collect::<Vec<_>>())
}

fn mean(values: &[f64]) -> f64 {
    let number = f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX));
    values.iter().sum::<f64>() / number
}
