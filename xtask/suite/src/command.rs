//! Commands that share our terminal.

use std::{ffi::OsStr, time::Instant};

use tokio::process::Command;
use xtask::cargo;

use crate::{Error, output};

/// A cargo command at the root of the checkout. Queries are checked against the committed metadata.
pub fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    cargo::cargo(arguments).into()
}

/// Runs a command to its end. If we stop waiting, it is killed.
pub async fn run(mut command: Command) -> Result<(), Error> {
    let shown = cargo::shown(command.as_std());
    match command.kill_on_drop(true).status().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Command { command: shown, status }),
        Err(source) => Err(Error::Start { command: shown, source }),
    }
}

/// Runs a command to its end and prints how long it took.
pub async fn timed(command: Command) -> Result<(), Error> {
    let shown = cargo::shown(command.as_std());
    output::line(format!("── {shown}"));
    let began = Instant::now();
    run(command).await?;
    output::line(format!("── {shown}: {:.1} s", began.elapsed().as_secs_f64()));
    Ok(())
}
