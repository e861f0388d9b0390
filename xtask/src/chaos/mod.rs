//! Load on all flows while a seeded plan kills, stops, cuts and slows what it runs on; then the audit, and what was lost.
//!
//! It runs a suite of its own on servers of its own, and touches no other.

mod blow;
mod doors;
mod keepers;
mod load;
mod plan;
mod reckoning;
mod times;

use std::{path::PathBuf, sync::Arc, time::Duration};

use system_tests::{Shop, audit::Findings};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{blow::Outcome, load::Load, plan::Fault, times::Times};
use crate::{
    bench::figures::{Figures, Goal::AtLeast},
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

    let faults = plan::plan(arguments.seed, arguments.faults);
    let (mut survived, mut times, mut wrong) = (0, Times::default(), Vec::new());
    for fault in &faults {
        tokio::time::sleep(BETWEEN).await;
        match blow::strike(&mut shop, &load, *fault, born).await {
            Ok(outcome) => {
                survived += 1;
                tell(survived, *fault, outcome);
                times.take(outcome);
            }
            Err(failure) => {
                note(&mut wrong, &format!("{fault}: not overcome"), &failure);
                break;
            }
        }
    }
    // What was accepted is reckoned up whatever has happened, for that is when the figures are of interest.
    if survived < faults.len()
        && let Err(failure) = blow::heal(&mut shop).await
    {
        note(&mut wrong, "not healed", &failure);
    }
    closing.cancel();
    let accepted = loading.finish().await;
    let findings = match settle(&shop).await {
        Ok(findings) => Some(findings),
        Err(failure) => {
            note(&mut wrong, "no rest", &failure);
            shop.audit().await.ok()
        }
    };
    let mut figures = Figures::default();
    let wanted = AtLeast(whole(faults.len()));
    figures.take("faults_survived", whole(survived), wanted);
    match reckoning::reckon(&shop, &accepted, findings.as_ref()).await {
        Ok(reckoning) => {
            reckoning.tell(&mut figures);
            if !reckoning.is_sound() {
                wrong.push(format!("{reckoning:?}"));
            }
        }
        Err(failure) => note(&mut wrong, "not reckoned", &failure),
    }
    wrong.extend(times.tell(&faults, &mut figures));
    figures.write(arguments.json.as_deref())?;
    if let Err(failure) = shop.close().await {
        note(&mut wrong, "not closed", &failure.into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::Unsound(wrong.join("\n"))) }
}

/// Says how a fault was overcome.
fn tell(number: usize, fault: Fault, outcome: Outcome) {
    let text = match outcome {
        Outcome::TakenOver(took) => format!("taken over, {:.2} s", took.as_secs_f64()),
        Outcome::Recovered { took, last } => format!("{:.2} s, {last} last", took.as_secs_f64()),
        Outcome::Noticed { took, last } => {
            format!("noticed, {:.2} s, {last} last", took.as_secs_f64())
        }
    };
    say::line(format!("  {number:3} {fault}: {text}"));
}

/// Keeps what went wrong, and says it at once: the rest may take minutes.
fn note(wrong: &mut Vec<String>, what: &str, failure: &Failure) {
    let text = format!("{what}: {}", say::chain(failure));
    say::line(format!("  {text}"));
    wrong.push(text);
}

/// Waits until all that was accepted has had its effects, and the audit finds nothing: what it looked at.
async fn settle(shop: &Shop) -> Result<Findings, Failure> {
    shop.wait_until_ready().await?;
    testkit::wait_for("every order has come to its end", QUIET, async || {
        match reckoning::orders_under_way(shop).await {
            Ok(0) => Ok(()),
            Ok(orders) => Err(format!("{orders} orders are under way")),
            Err(failure) => Err(failure.to_string()),
        }
    })
    .await?;
    Ok(shop.wait_until_sound(QUIET).await?)
}

/// A count as a figure.
fn whole(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
