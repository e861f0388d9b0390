//! The dispatch orders under one overload, compared with queueing theory; then an adaptive batch size
//! compared with a fixed one.
//!
//! Events pass through the whole pipeline: transaction, outbox, relay, quorum queue, consumer, committed
//! effect.

#![expect(clippy::disallowed_methods, reason = "the tables of a bench exist only while it runs")]

mod batching;
mod harness;
mod overload;
mod theory;

use std::{num::NonZeroU32, time::Duration};

use messaging::{BatchSize, Dispatch};
use suite::{Figures, Target, install, output, percentile_ms};
use xtask::arguments::BenchOptions;

use self::{
    overload::Measured,
    theory::{Arrival, Order, cobham, ideal},
};
use crate::error::Error;

/// Small edits per event of bulk work.
const NORMAL_PER_BULK: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);

/// The age of the oldest event at which the freshest come first.
const DEADLINE: Duration = Duration::from_millis(250);

/// The seed of all arrivals.
const SEED: u64 = 7;

const FIXED: BatchSize = BatchSize::Fixed(512);

/// Measures the dispatch orders.
pub(crate) async fn run(options: BenchOptions) -> Result<(), Error> {
    install::servers(true, true).await?;
    let mut figures = Figures::default();
    output::line("dispatch, compared with theory:");
    let server = overload::calibrate().await?;

    let freshest = Dispatch::FreshestFirst { deadline: DEADLINE };
    let lanes = Dispatch::PriorityClasses { normal_per_bulk: NORMAL_PER_BULK };
    let orders = [
        ("fifo", Dispatch::Fifo, Order::Fifo),
        ("lanes", lanes, Order::SmallFirst),
        ("freshest", freshest, Order::NewestIfLate(DEADLINE)),
    ];
    for (name, dispatch, order) in orders {
        let measured = overload::run(dispatch, server, SEED).await?;
        compare(&mut figures, name, &measured, order);
    }

    for (name, per_event, bulk) in
        [("fast", Duration::ZERO, 40_000), ("slow", Duration::from_millis(2), 3_000)]
    {
        let fixed = batching::measure(FIXED, per_event, bulk).await?;
        let adaptive = batching::measure(BatchSize::default(), per_event, bulk).await?;
        let mut record =
            |what: &str, value| figures.record(format!("{name}_{what}"), value, Target::None);
        record("fixed_events_per_s", fixed.events_per_second);
        record("adaptive_events_per_s", adaptive.events_per_second);
        let ratio = adaptive.events_per_second / fixed.events_per_second;
        record("adaptive_over_fixed", ratio);
        record("fixed_edit_p99_ms", fixed.edit_p99_ms);
        record("adaptive_edit_p99_ms", adaptive.edit_p99_ms);
    }
    Ok(figures.write(options.json.as_deref())?)
}

/// Records the figures of one dispatch order beside those of the ideal server with the same arrivals.
fn compare(figures: &mut Figures, name: &str, measured: &Measured, order: Order) {
    let Measured { server, arrivals, waits } = measured;
    figures.record(format!("{name}_service_time_ms"), ms(server.busy_time()), Target::None);
    let theory = ideal(arrivals, *server, order);
    let is_in_burst = |one: &Arrival| one.at < overload::burst_end();
    let all: Part = |_| true;
    let small: Part = |one| one.is_small;
    let bulk: Part = |one| !one.is_small;
    for (part, belongs) in [("", all), ("small_", small), ("bulk_", bulk)] {
        let of = |waits: &[Duration]| {
            let both = arrivals.iter().zip(waits).filter(|(one, _)| belongs(one));
            both.map(|(_, wait)| *wait).collect::<Vec<_>>()
        };
        let (mut waits, mut theory) = (of(waits), of(&theory));
        record_pair(figures, &format!("{name}_{part}wait_mean"), mean_ms(&waits), mean_ms(&theory));
        let (wait, ideal) = (percentile_ms(&mut waits, 99), percentile_ms(&mut theory, 99));
        record_pair(figures, &format!("{name}_{part}wait_p99"), wait, ideal);
    }
    let on_time = |waits: &[Duration]| {
        let burst = arrivals.iter().zip(waits).filter(|(one, _)| is_in_burst(one));
        let late: Vec<f64> =
            burst.map(|(_, wait)| if *wait <= DEADLINE { 1.0 } else { 0.0 }).collect();
        mean(&late)
    };
    figures.record(format!("{name}_burst_on_time"), on_time(waits), Target::None);
    figures.record(format!("{name}_burst_on_time_theory"), on_time(&theory), Target::None);
    let of_small = arrivals.iter().zip(waits).filter(|(one, _)| one.is_small && is_in_burst(one));
    let of_small: Vec<Duration> = of_small.map(|(_, wait)| *wait).collect();
    figures.record(format!("{name}_small_burst_wait_mean_ms"), mean_ms(&of_small), Target::None);
    if let Order::SmallFirst = order {
        let number = f64::from(u32::try_from(of_small.len()).unwrap_or(u32::MAX));
        let share = number * server.busy_time().div_duration_f64(overload::burst_end());
        let by_cobham = cobham(*server, share);
        figures.record(
            format!("{name}_small_burst_wait_mean_cobham_ms"),
            ms(by_cobham),
            Target::None,
        );
    }
    // Kleinrock's conservation law: no order changes the mean waiting time of a server that is never idle.
    let first_come = mean_ms(&ideal(arrivals, *server, Order::Fifo));
    figures.record(format!("{name}_conservation"), mean_ms(waits) / first_come, Target::None);
}

/// A filter of arrivals.
type Part = fn(&Arrival) -> bool;

/// Records the measured figure, the theoretical one, and their ratio.
fn record_pair(figures: &mut Figures, name: &str, measured: f64, theory: f64) {
    figures.record(format!("{name}_ms"), measured, Target::None);
    figures.record(format!("{name}_theory_ms"), theory, Target::None);
    figures.record(format!("{name}_ratio"), measured / theory, Target::None);
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
