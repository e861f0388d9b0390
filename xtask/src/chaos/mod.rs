//! Load on all flows while a seeded plan kills, stops, cuts and slows what it runs on; then the audit, and what was lost.
//!
//! It runs a suite of its own on servers of its own, and touches no other.

mod blow;
mod load;
mod plan;
mod reckoning;

use std::{path::PathBuf, sync::Arc, time::Duration};

use system_tests::Shop;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{blow::Outcome, load::Load};
use crate::{
    bench::figures::{
        Figures,
        Goal::{AtMost, Told},
        percentile_ms,
    },
    command,
    failure::Failure,
    install, say,
};

/// What to do, and how to make the same happen again.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many faults, one after the other.
    #[arg(long, default_value_t = 200)]
    faults: usize,
    /// The same seed gives the same faults in the same order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the figures to this file, as one flat JSON object.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// How long the load runs between two faults.
const BETWEEN: Duration = Duration::from_millis(700);

/// How long the suite may take until all that was accepted has had its effects.
const QUIET: Duration = Duration::from_mins(4);

/// What the services are told: so few events fill an outbox that a few buyers can fill it, and who does not pay is not waited for
/// long.
const SETTINGS: [(&str, &str); 3] = [
    ("OUTBOX_LESSER_ROWS", "150"),
    ("OUTBOX_ROWS", "200"),
    ("PAYMENT_TIMEOUT", load::PAYMENT_TIMEOUT),
];

/// Does all of it, from optimised programs; fails if anything was lost, doubled, out of order or oversold.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    if cfg!(debug_assertions) {
        command::run(command::cargo(["build", "--release", "--workspace", "--bins"])).await?;
        return command::optimised().await;
    }
    install::servers(true, true).await?;
    say::line(format!("chaos: {} faults of seed {}", arguments.faults, arguments.seed));
    let mut shop = Shop::open_on_own_servers(&SETTINGS).await?;
    shop.launch_seconds().await?;
    let born = Instant::now();
    let load = Arc::new(Load::prepare(&shop).await?);
    reckoning::watch(&shop).await?;
    let closing = CancellationToken::new();
    let loading = load.clone().start(&closing);

    let (mut survived, mut recoveries, mut takeovers, mut silences) =
        (0, Vec::new(), Vec::new(), Vec::new());
    for fault in plan::plan(arguments.seed, arguments.faults) {
        tokio::time::sleep(BETWEEN).await;
        let outcome = blow::strike(&mut shop, fault, born).await?;
        survived += 1;
        match outcome {
            Outcome::TakenOver(took) => {
                say::line(format!(
                    "  {survived:3} {fault}: taken over, {:.2} s",
                    took.as_secs_f64()
                ));
                takeovers.push(took);
            }
            Outcome::Recovered { took, last } => {
                say::line(format!(
                    "  {survived:3} {fault}: {:.2} s, {last} last",
                    took.as_secs_f64()
                ));
                recoveries.push(took);
            }
            Outcome::Noticed(took) => {
                say::line(format!("  {survived:3} {fault}: noticed, {:.2} s", took.as_secs_f64()));
                silences.push(took);
            }
        }
    }
    closing.cancel();
    let accepted = loading.finish().await?;
    shop.wait_until_ready().await?;
    testkit::wait_for("every order has come to its end", QUIET, async || {
        match reckoning::orders_under_way(&shop).await {
            Ok(0) => Ok(()),
            Ok(orders) => Err(format!("{orders} orders are under way")),
            Err(failure) => Err(failure.to_string()),
        }
    })
    .await?;
    let findings = shop.wait_until_sound(QUIET).await?;
    let reckoning = reckoning::reckon(&shop, &accepted, &findings).await?;
    let mut figures = Figures::default();
    figures.take("faults_survived", whole(survived), Told);
    reckoning.tell(&mut figures);
    figures.take("recovery_p50_s", percentile_ms(&mut recoveries, 50) / 1000.0, Told);
    let recovery_s = percentile_ms(&mut recoveries, 99) / 1000.0;
    figures.take("recovery_p99_s", recovery_s, AtMost(reckoning::RECOVERY_S));
    figures.take("recovery_longest_s", percentile_ms(&mut recoveries, 100) / 1000.0, Told);
    figures.take("takeover_p50_s", percentile_ms(&mut takeovers, 50) / 1000.0, Told);
    figures.take("takeover_longest_s", percentile_ms(&mut takeovers, 100) / 1000.0, Told);
    figures.take("silence_longest_s", percentile_ms(&mut silences, 100) / 1000.0, Told);
    figures.write(arguments.json.as_deref())?;
    shop.close().await?;
    reckoning.verdict(recovery_s)
}

/// A count as a figure.
fn whole(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
