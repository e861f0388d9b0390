//! Writes the contracts of all events anew, out of their types and the services' own topologies.

use crate::command;
use crate::failure::Failure;

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Change nothing, and fail if something would change.
    #[arg(long)]
    check: bool,
}

/// Runs the test that holds the files current, and lets it write. It refuses to write what would break somebody.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut cargo = command::house("the_contracts_are_written_down");
    if arguments.check {
        cargo.env_remove("CONTRACTS");
    } else {
        cargo.env("CONTRACTS", "write");
    }
    command::run(cargo).await
}
