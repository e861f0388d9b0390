//! `cargo xtask chaos`: load on all flows while a seeded plan of faults is injected; then the audit and the
//! verification.
//!
//! It runs a suite of its own with private servers.

mod admin_clients;
mod client;
mod error;
mod inject;
mod load;
mod plan;
mod recovery;
mod verify;

use std::{process::ExitCode, sync::Arc, time::Duration};

use audit::Findings;
use clap::Parser as _;
use suite::{Figures, Target::AtLeast, install, output};
use system_tests::Shop;
use testkit::DataDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use xtask::{Arguments, Command, arguments::Chaos};

use crate::{error::Error, inject::Outcome, load::Load, plan::Fault, recovery::RecoveryTimes};

/// The pause between two faults.
const FAULT_INTERVAL: Duration = Duration::from_millis(700);

/// Timeout until everything accepted has had its effects.
const SETTLE_TIMEOUT: Duration = Duration::from_mins(4);

/// The settings of the services: a small outbox that few buyers can fill, and a short payment timeout.
const SETTINGS: [(&str, &str); 3] = [
    ("OUTBOX_LESSER_ROWS", "150"),
    ("OUTBOX_ROWS", "200"),
    ("PAYMENT_TIMEOUT", load::PAYMENT_TIMEOUT),
];

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Runs the plan; fails if anything was lost, duplicated, reordered or oversold.
async fn run(command: Command) -> Result<(), Error> {
    let Command::Chaos(arguments) = command else { return Err(suite::Error::OtherProgram.into()) };
    let Chaos { faults: number, seed, json } = arguments;
    install::servers(true, true).await?;
    output::line(format!("chaos: {number} faults of seed {seed}"));
    let mut shop = Shop::start_with_private_servers(DataDir::temporary, &SETTINGS).await?;
    shop.start_second_instances().await?;
    let started = Instant::now();
    let load = Arc::new(Load::prepare(&shop).await?);
    verify::record_regressions(&shop).await?;
    let stop = CancellationToken::new();
    let running = load.clone().start(&stop);

    let faults = plan::plan(seed, number);
    let (mut survived, mut times, mut errors) = (0, RecoveryTimes::default(), Vec::new());
    for fault in &faults {
        tokio::time::sleep(FAULT_INTERVAL).await;
        match inject::inject(&mut shop, &load, *fault, started).await {
            Ok(outcome) => {
                survived += 1;
                print_outcome(survived, *fault, outcome);
                times.add(outcome);
            }
            Err(error) => {
                add_error(&mut errors, &format!("no recovery from: {fault}"), &error);
                break;
            }
        }
    }
    // Verification runs even after errors: then its figures matter most.
    if survived < faults.len()
        && let Err(error) = inject::restore(&mut shop).await
    {
        add_error(&mut errors, "faults cannot be ended", &error);
    }
    stop.cancel();
    let accepted = running.finish().await;
    let findings = match settle(&shop).await {
        Ok(findings) => Some(findings),
        Err(error) => {
            add_error(&mut errors, "the suite does not settle", &error);
            shop.audit().await.ok()
        }
    };
    let mut figures = Figures::default();
    let target = AtLeast(verify::as_figure(faults.len()));
    figures.record("faults_survived", verify::as_figure(survived), target);
    match verify::verify(&shop, &accepted, findings.as_ref()).await {
        Ok(verification) => {
            verification.report(&mut figures);
            if !verification.is_correct() {
                errors.push(format!("{verification:?}"));
            }
        }
        Err(error) => add_error(&mut errors, "verification failed", &error),
    }
    errors.extend(times.report(&faults, &mut figures));
    figures.write(json.as_deref())?;
    if let Err(error) = shop.stop().await {
        add_error(&mut errors, "the suite does not stop", &error.into());
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Failed(errors.join("\n"))) }
}

/// Prints how the suite recovered from a fault.
fn print_outcome(number: usize, fault: Fault, outcome: Outcome) {
    let text = match outcome {
        Outcome::TakenOver(elapsed) => format!("takeover, {:.2} s", elapsed.as_secs_f64()),
        Outcome::Recovered { elapsed, last_service } => {
            format!("{:.2} s, {last_service} last", elapsed.as_secs_f64())
        }
        Outcome::Detected { elapsed, last_service } => {
            format!("detected, {:.2} s, {last_service} last", elapsed.as_secs_f64())
        }
    };
    output::line(format!("  {number:3} {fault}: {text}"));
}

/// Records an error and prints it immediately: the rest of the run may take minutes.
fn add_error(errors: &mut Vec<String>, context: &str, error: &Error) {
    let text = format!("{context}: {}", output::chain(error));
    output::line(format!("  {text}"));
    errors.push(text);
}

/// Waits until all orders have a final status and the audit finds no violation; returns its findings.
async fn settle(shop: &Shop) -> Result<Findings, Error> {
    shop.wait_until_ready().await?;
    testkit::wait_for("all orders have a final status", SETTLE_TIMEOUT, async || {
        match verify::open_orders(shop).await {
            Ok(0) => Ok(()),
            Ok(orders) => Err(format!("{orders} orders are open")),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    Ok(shop.wait_for_clean_audit(SETTLE_TIMEOUT).await?)
}
