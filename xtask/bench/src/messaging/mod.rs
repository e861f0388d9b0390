//! The messaging kit compared with three baselines in one run on one machine: the bare broker, a polled
//! outbox, and a transaction without events.
//!
//! Everything is durable: PostgreSQL with fsync, quorum queues, confirms. The servers are private ones of
//! this run, unless `TESTKIT_POSTGRES_URL` and the other `TESTKIT_*` variables name others.

#![expect(
    clippy::disallowed_methods,
    reason = "the tables of a bench exist only while it runs, and the baselines publish without the kit"
)]

mod backlog;
mod baseline;
mod emit_tax;
mod harness;
mod item;
mod polling;
mod workload;

use suite::{
    Figures,
    Target::{self, AtLeast, AtMost},
    install, output,
};
use xtask::arguments::BenchOptions;

use self::emit_tax::Write;
use crate::{error::Error, statistics::median};

/// How often compared figures are measured, alternately.
const ROUNDS: usize = 3;

/// Measures the messaging kit.
pub(crate) async fn run(options: BenchOptions) -> Result<(), Error> {
    install::servers(true, true).await?;
    let mut figures = Figures::default();
    output::line("messaging, with targets:");

    let (mut baseline, mut kit) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        baseline.push(baseline::messages_per_second().await?);
        kit.push(workload::events_per_second().await?);
    }
    let (baseline, kit) = (median(baseline), median(kit));
    figures.record("raw_msgs_per_s", baseline, Target::None);
    figures.record("kit_events_per_s", kit, Target::None);
    figures.record("kit_over_raw", kit / baseline, AtLeast(2.0));

    let polling = polling::measure().await?;
    figures.record("polling_events_per_s", polling.events_per_second, Target::None);
    figures.record("polling_latency_p50_ms", polling.latency_p50_ms, Target::None);
    figures.record("kit_over_polling", kit / polling.events_per_second, AtLeast(20.0));

    let latency = workload::latency().await?;
    figures.record("latency_p50_ms", latency.p50_ms, AtMost(8.0));
    figures.record("latency_p99_ms", latency.p99_ms, AtMost(40.0));

    let with_faults = workload::latency_with_faults().await?;
    figures.record("beside_trouble_p99_ms", with_faults.p99_ms, Target::None);
    figures.record("beside_trouble_over_p99", with_faults.p99_ms / latency.p99_ms, AtMost(2.0));

    let tax = emit_tax::measure(Write::ReadAndUpdate, ROUNDS).await?;
    figures.record("plain_tx_per_s", tax.plain, Target::None);
    figures.record("emit_tx_per_s", tax.emitting, Target::None);
    figures.record("emit_tax", tax.emitting / tax.plain, AtLeast(0.8));
    let update = emit_tax::measure(Write::Update, ROUNDS).await?;
    figures.record("emit_tax_of_a_bare_write", update.emitting / update.plain, Target::None);

    let backlog = backlog::measure().await?;
    figures.record("drain_rows_per_s", backlog.drained_per_second, AtLeast(25_000.0));
    figures.record("consumer_events_per_s", backlog.consumed_per_second, AtLeast(25_000.0));
    Ok(figures.write(options.json.as_deref())?)
}
