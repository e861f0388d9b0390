//! Commands that share our terminal.

use std::ffi::OsStr;
use std::time::Instant;

use tokio::process::Command;

use crate::failure::Failure;
use crate::{say, workspace};

/// Cargo, at the root of the checkout, with the committed knowledge of the databases.
pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace::root()).env("SQLX_OFFLINE", "true");
    // Cargo sets these for us because we run under it; a cargo of our own would take them for changes and build anew.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// One of the tests that hold what is generated current; told to by the environment, it writes.
pub(crate) fn house(test: &str) -> Command {
    cargo(["test", "--package", "system-tests", "--test", "house", test])
}

/// Runs this command line once more, from an optimised build of this program.
pub(crate) async fn optimised() -> Result<(), Failure> {
    let mut cargo = cargo(["run", "--release", "--quiet", "--package", "xtask", "--"]);
    cargo.args(std::env::args_os().skip(1));
    run(cargo).await
}

/// Runs a command to its end; ours is its end too.
pub(crate) async fn run(mut command: Command) -> Result<(), Failure> {
    let line = line(&command);
    let status = command.kill_on_drop(true).status().await;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Command { command: line, status }),
        Err(source) => Err(Failure::Start { command: line, source }),
    }
}

/// Runs a command to its end and says how long it took.
pub(crate) async fn timed(command: Command) -> Result<(), Failure> {
    let line = line(&command);
    say::line(format!("── {line}"));
    let began = Instant::now();
    run(command).await?;
    say::line(format!("── {line}: {:.1} s", began.elapsed().as_secs_f64()));
    Ok(())
}

/// A command as a person would type it.
fn line(command: &Command) -> String {
    let command = command.as_std();
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
