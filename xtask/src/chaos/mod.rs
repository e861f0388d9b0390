//! Load on all flows while a seeded plan kills, stops, cuts and slows what it runs on; then the audit, and what was lost.
//!
//! It runs a suite of its own on servers of its own, and touches no other.

mod blow;
mod load;
mod plan;
mod reckoning;

use std::{collections::BTreeMap, env, fs, path::PathBuf, sync::Arc, time::Duration};

use system_tests::Shop;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::load::Load;
use crate::{command, failure::Failure, install, say};

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

/// Does all of it, from optimised programs; fails if anything was lost, doubled, out of order or oversold.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    if cfg!(debug_assertions) {
        command::run(command::cargo(["build", "--release", "--workspace", "--bins"])).await?;
        let mut cargo = command::cargo(["run", "--release", "--quiet", "--package", "xtask", "--"]);
        cargo.args(env::args_os().skip(1));
        return command::run(cargo).await;
    }
    install::servers(true, true).await?;
    say::line(format!("chaos: {} faults of seed {}", arguments.faults, arguments.seed));
    let mut shop = Shop::open_on_own_servers().await?;
    let born = Instant::now();
    let load = Arc::new(Load::prepare(&shop).await?);
    let closing = CancellationToken::new();
    let loading = load.clone().start(&closing);

    let mut recoveries = Vec::new();
    for (number, fault) in plan::plan(arguments.seed, arguments.faults).into_iter().enumerate() {
        tokio::time::sleep(BETWEEN).await;
        let recovery = blow::strike(&mut shop, fault, born).await?;
        say::line(format!("  {:3} {fault}: {:.2} s", number + 1, recovery.as_secs_f64()));
        recoveries.push(recovery);
    }
    closing.cancel();
    let accepted = loading.finish().await?;
    shop.wait_until_ready().await?;
    testkit::wait_for("the audit finds nothing", QUIET, async || match shop.audit().await {
        Ok(findings) if findings.is_sound() => Ok(()),
        Ok(findings) => Err(findings.to_string()),
        Err(error) => Err(error.to_string()),
    })
    .await?;

    testkit::wait_for("every order has come to its end", QUIET, async || {
        match reckoning::orders_under_way(&shop).await {
            Ok(0) => Ok(()),
            Ok(orders) => Err(format!("{orders} orders are under way")),
            Err(failure) => Err(failure.to_string()),
        }
    })
    .await?;
    let reckoning = reckoning::reckon(&shop, &accepted).await?;
    let mut figures = reckoning.figures();
    figures.insert("faults_survived", whole(recoveries.len()));
    figures.insert("recovery_p99_s", percentile(&mut recoveries, 99).as_secs_f64());
    figures.insert("recovery_p50_s", percentile(&mut recoveries, 50).as_secs_f64());
    for (name, figure) in &figures {
        say::line(format!("  {name:26} {figure:>12.3}"));
    }
    if let Some(path) = &arguments.json {
        write(path, &figures)?;
    }
    shop.close().await?;
    reckoning.verdict()
}

fn write(path: &std::path::Path, figures: &BTreeMap<&'static str, f64>) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(figures)
        .map_err(|source| Failure::Content { path: path.to_owned(), source })?;
    fs::write(path, text + "\n").map_err(Failure::file(path))
}

/// The duration that `percent` of a hundred stay below.
fn percentile(durations: &mut [Duration], percent: usize) -> Duration {
    durations.sort_unstable();
    let place = (durations.len() * percent / 100).min(durations.len().saturating_sub(1));
    durations.get(place).copied().unwrap_or_default()
}

/// A count as a figure.
fn whole(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
