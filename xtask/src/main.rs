//! Every chore of the project, as `cargo xtask <command>`. It needs the Rust toolchain alone.

mod failure;
mod say;

mod command;
mod install;
mod workspace;

mod suite;

mod audit;
mod bench;
mod chaos;
mod contracts;
mod down;
mod event_graph;
mod import;
mod letters;
mod replay;
mod sample;
mod sqlx_prepare;
mod supervise;
mod test;
mod token;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

/// The chores of the project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Build and run the whole suite with private servers and the sample catalogue.
    Up(up::Arguments),
    /// Stop what `up` started.
    Down(down::Arguments),
    /// Everything that must hold before a change lands: format, lints, documentation, all tests.
    Test,
    /// Mint a token for the running suite; it stands alone on the last line.
    Token(token::Arguments),
    /// Import products from a file through the public route.
    Import(import::Arguments),
    /// Measure the running suite.
    Bench(bench::Arguments),
    /// Strike a suite of its own with a seeded plan of faults under load, and reckon up what was lost.
    Chaos(chaos::Arguments),
    /// Check what must always hold, across the databases of the running suite.
    Audit(audit::Arguments),
    /// Look at the dead letters of a running service, and deal with them.
    Letters(letters::Arguments),
    /// Build a projection of a running service again beside the live one, compare the two, and put the live one right.
    Replay(replay::Arguments),
    /// Write `docs/event-graph.md` anew.
    EventGraph,
    /// Write `docs/contracts` anew; refuses what would break those who rely on it.
    Contracts(contracts::Arguments),
    /// Write what the checked queries know of the databases into the `.sqlx` folders.
    SqlxPrepare(sqlx_prepare::Arguments),
    /// Start the suite's processes and keep them alive; `up` runs this in the background.
    #[command(hide = true)]
    Supervise,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().chore).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::failure(&failure);
            ExitCode::FAILURE
        }
    }
}

async fn run(chore: Chore) -> Result<(), Failure> {
    match chore {
        Chore::Up(arguments) => up::run(&arguments).await,
        Chore::Down(arguments) => down::run(&arguments).await,
        Chore::Test => test::run().await,
        Chore::Token(arguments) => token::run(&arguments),
        Chore::Import(arguments) => import::run(arguments).await,
        Chore::Bench(arguments) => bench::run(arguments).await,
        Chore::Chaos(arguments) => chaos::run(arguments).await,
        Chore::Audit(arguments) => audit::run(&arguments).await,
        Chore::Letters(arguments) => letters::run(arguments).await,
        Chore::Replay(arguments) => replay::run(&arguments).await,
        Chore::EventGraph => event_graph::run().await,
        Chore::Contracts(arguments) => contracts::run(&arguments).await,
        Chore::SqlxPrepare(arguments) => sqlx_prepare::run(&arguments).await,
        Chore::Supervise => supervise::run().await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Arguments::command().debug_assert();
    }
}
