//! The messaging kit compared with three baselines in one run on one machine: the bare broker, a polled
//! outbox, and a transaction without events. Then what an event costs PostgreSQL, and what all services do at rest.
//!
//! Everything is durable: PostgreSQL with fsync, quorum queues, confirms. The servers are private ones of
//! this run, unless `TESTKIT_POSTGRES_URL` and the other `TESTKIT_*` variables name others. The services at rest always
//! have private ones.

#![expect(
    clippy::disallowed_methods,
    reason = "the tables of a bench exist only while it runs, and the baselines publish without the kit"
)]

mod at_rest;
mod backlog;
mod baseline;
mod emit_tax;
mod figures;
mod harness;
mod item;
mod polling;
mod postgres_cost;
pub(crate) mod scale;
mod workload;

use std::path::Path;

use suite::{Figures, install, output};

use self::{emit_tax::Write, postgres_cost::Cost};
use crate::{
    error::Error,
    pairs::{Pairs, order_of},
    statistics::median,
};

/// How often compared figures are measured, alternately.
const ROUNDS: usize = 3;

/// Measures the messaging kit, and writes the figures to the file `json`.
pub(crate) async fn run(json: Option<&Path>) -> Result<(), Error> {
    Figures::check_writable(json)?;
    install::servers(true, true).await?;
    let mut figures = Figures::default();
    output::line("messaging, with goals:");

    // First, while nothing else of the bench runs.
    let at_rest = at_rest::measure().await?;
    figures::IDLE_COMMITS_PER_S.record(&mut figures, at_rest.commits_per_second());
    for (database, per_second) in &at_rest.transactions_per_second {
        figures::IDLE_COMMITS_PER_S.record_part(&mut figures, database, *per_second);
    }
    figures::IDLE_CPU_PERCENT.record(&mut figures, at_rest.cpu_percent_of_services());
    for (process, percent) in &at_rest.cpu_percent {
        figures::IDLE_CPU_PERCENT.record_part(&mut figures, process, *percent);
    }

    let kit = record_throughput(&mut figures).await?;

    let polling = polling::measure().await?;
    figures::POLLING_EVENTS_PER_S.record(&mut figures, polling.events_per_second);
    figures::POLLING_LATENCY_P50_MS.record(&mut figures, polling.latency_p50_ms);
    figures::KIT_OVER_POLLING.record(&mut figures, kit / polling.events_per_second);

    let latency = workload::latency().await?;
    figures::LATENCY_P50_MS.record(&mut figures, latency.p50_ms);
    figures::LATENCY_P99_MS.record(&mut figures, latency.p99_ms);

    let with_faults = workload::latency_with_faults().await?;
    figures::BESIDE_TROUBLE_P99_MS.record(&mut figures, with_faults.p99_ms);
    figures::BESIDE_TROUBLE_OVER_P99.record(&mut figures, with_faults.p99_ms / latency.p99_ms);

    let tax = emit_tax::measure(Write::ReadAndUpdate, ROUNDS).await?;
    figures::PLAIN_TX_PER_S.record(&mut figures, tax.plain);
    figures::EMIT_TX_PER_S.record(&mut figures, tax.emitting);
    figures::EMIT_TAX.record(&mut figures, tax.emitting / tax.plain);
    let update = emit_tax::measure(Write::Update, ROUNDS).await?;
    figures::EMIT_TAX_OF_A_BARE_WRITE.record(&mut figures, update.emitting / update.plain);

    let backlog = backlog::measure().await?;
    figures::DRAIN_ROWS_PER_S.record(&mut figures, backlog.drained_per_second);
    figures::CONSUMER_EVENTS_PER_S.record(&mut figures, backlog.consumed_per_second);
    Ok(figures.write(json)?)
}

/// Events per second with and without signatures.
pub(crate) async fn signed_and_unsigned(pairs: u32) -> Result<Pairs, Error> {
    let mut measured = Pairs::default();
    for pair in 0..pairs {
        for is_signed in order_of(pair) {
            if is_signed {
                measured.signed.push(workload::signed_throughput().await?.events_per_second);
            } else {
                measured.unsigned.push(workload::throughput().await?.events_per_second);
            }
        }
    }
    Ok(measured)
}

/// Compares the kit with the bare broker, and returns its events per second.
async fn record_throughput(figures: &mut Figures) -> Result<f64, Error> {
    let (mut baseline, mut kit, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        baseline.push(baseline::messages_per_second().await?);
        let throughput = workload::throughput().await?;
        kit.push(throughput.events_per_second);
        costs.push(throughput.cost);
    }
    let (baseline, kit, cost) = (median(baseline), median(kit), Cost::median(&costs));
    figures::RAW_MSGS_PER_S.record(figures, baseline);
    figures::KIT_EVENTS_PER_S.record(figures, kit);
    figures::KIT_OVER_RAW.record(figures, kit / baseline);
    figures::PG_US_PER_EVENT.record(figures, cost.cpu_us);
    figures::BYTES_OF_WAL_PER_EVENT.record(figures, cost.log_bytes);
    figures::BYTES_OF_WAL_IMAGES_PER_EVENT.record(figures, cost.image_bytes);
    Ok(kit)
}
