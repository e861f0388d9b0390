//! The messaging kit against what it stands on, in one run on one machine: the bare broker, the textbook way of an outbox
//! that is polled, and a write that says nothing.
//!
//! Everything is durable: PostgreSQL with fsync, quorum queues, confirms. The servers are private ones of this run, unless
//! `TESTKIT_POSTGRES_URL` and its like name others.

#![expect(
    clippy::disallowed_methods,
    reason = "the tables of a bench exist only while it runs, and it publishes what the kit is compared with"
)]

mod backlog;
mod emit_tax;
mod flow;
mod item;
mod polling;
mod raw;
mod stage;

use self::emit_tax::Business;
use super::{
    Options,
    figures::{
        Figures,
        Goal::{AtLeast, AtMost, Told},
    },
};
use crate::{failure::Failure, install, say};

/// How often what is compared is measured, turn by turn.
const TURNS: usize = 3;

/// Measures the messaging kit.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    install::servers(true, true).await?;
    let mut figures = Figures::default();
    say::line("messaging, against what is wanted:");

    let (mut raw, mut kit) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        raw.push(raw::messages_per_second().await?);
        kit.push(flow::events_per_second().await?);
    }
    let (raw, kit) = (median(raw), median(kit));
    figures.take("raw_msgs_per_s", raw, Told);
    figures.take("kit_events_per_s", kit, Told);
    figures.take("kit_over_raw", kit / raw, AtLeast(2.0));

    let polling = polling::measure().await?;
    figures.take("polling_events_per_s", polling.events_per_second, Told);
    figures.take("polling_latency_p50_ms", polling.latency_p50_ms, Told);
    figures.take("kit_over_polling", kit / polling.events_per_second, AtLeast(20.0));

    let latency = flow::latency().await?;
    figures.take("latency_p50_ms", latency.p50_ms, AtMost(8.0));
    figures.take("latency_p99_ms", latency.p99_ms, AtMost(40.0));

    let beside = flow::latency_beside_trouble().await?;
    figures.take("beside_trouble_p99_ms", beside.p99_ms, Told);
    figures.take("beside_trouble_over_p99", beside.p99_ms / latency.p99_ms, AtMost(2.0));

    let tax = emit_tax::measure(Business::Decide, TURNS).await?;
    figures.take("plain_tx_per_s", tax.plain, Told);
    figures.take("emit_tx_per_s", tax.emitting, Told);
    figures.take("emit_tax", tax.emitting / tax.plain, AtLeast(0.8));
    let bare = emit_tax::measure(Business::Write, TURNS).await?;
    figures.take("emit_tax_of_a_bare_write", bare.emitting / bare.plain, Told);

    let backlog = backlog::measure().await?;
    figures.take("drain_rows_per_s", backlog.drained_per_second, AtLeast(25_000.0));
    figures.take("consumer_events_per_s", backlog.consumed_per_second, AtLeast(25_000.0));
    figures.write(options.json.as_deref())
}

/// The middle one.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// So many per second.
fn rate(number: u64, took: std::time::Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no bench counts to 2^52")]
    let number = number as f64;
    number / took.as_secs_f64()
}
