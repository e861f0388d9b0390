//! Cargo commands.

use std::{ffi::OsStr, process::Command};

use crate::workspace;

/// A cargo command at the root of the checkout. Queries are checked against the committed metadata.
pub fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace::root()).env("SQLX_OFFLINE", "true");
    // Cargo sets these for programs that it runs. In the environment of another cargo they would invalidate
    // fingerprints.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// A test of the house test: those that verify generated files also write them if the environment asks for
/// it.
pub fn house_test(name: &str) -> Command {
    // Without `--package`, for the reason that `programs::build` gives.
    cargo(["test", "--test", "house", name])
}

/// The command line as typed in a shell.
pub fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
