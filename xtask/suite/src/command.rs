//! Commands that share our terminal.

use std::{ffi::OsStr, process::Stdio, time::Instant};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    sync::oneshot::Sender,
};
use xtask::cargo;

use crate::{error::Error, output};

/// A cargo command at the root of the checkout. Queries are checked against the committed metadata.
pub fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    cargo::cargo(arguments).into()
}

/// The same at the lowest priority.
pub fn niced_cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let cargo = cargo::cargo(arguments);
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(cargo.get_program()).args(cargo.get_args());
    if let Some(folder) = cargo.get_current_dir() {
        command.current_dir(folder);
    }
    for (name, value) in cargo.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
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

/// Like [`timed`], and sends `seen` at the first line on standard error that contains `marker`.
pub async fn timed_until_line(
    mut command: Command,
    marker: &str,
    seen: Sender<()>,
) -> Result<(), Error> {
    let shown = cargo::shown(command.as_std());
    output::line(format!("── {shown}"));
    let began = Instant::now();
    let started = command.kill_on_drop(true).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|source| Error::Start { command: shown.clone(), source })?;
    let mut seen = Some(seen);
    if let Some(stderr) = child.stderr.take() {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            output::error_line(&line);
            if line.contains(marker)
                && let Some(seen) = seen.take()
            {
                let _closed = seen.send(());
            }
        }
    }
    let status = child.wait().await;
    let status = status.map_err(|source| Error::Start { command: shown.clone(), source })?;
    if !status.success() {
        return Err(Error::Command { command: shown, status });
    }
    output::line(format!("── {shown}: {:.1} s", began.elapsed().as_secs_f64()));
    Ok(())
}

/// Like [`timed`], and prints the output of the command only if it fails: another command has the terminal.
pub async fn timed_quietly(mut command: Command) -> Result<(), Error> {
    let shown = cargo::shown(command.as_std());
    let began = Instant::now();
    let finished = command.kill_on_drop(true).output().await;
    let finished = finished.map_err(|source| Error::Start { command: shown.clone(), source })?;
    if !finished.status.success() {
        output::error_line(&String::from_utf8_lossy(&finished.stdout));
        output::error_line(&String::from_utf8_lossy(&finished.stderr));
        return Err(Error::Command { command: shown, status: finished.status });
    }
    output::line(format!("── {shown}: {:.1} s", began.elapsed().as_secs_f64()));
    Ok(())
}
