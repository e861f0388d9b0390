//! Runs and operates the suite: the commands of `cargo xtask` that need its servers, its keys or its routes.

mod commands;

use std::process::ExitCode;

use clap::Parser as _;
use suite::{Error, output};
use xtask::{Arguments, Command};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode, Error> {
    if let Command::Topology(arguments) = command {
        return commands::topology::run(&arguments).await;
    }
    run_to_success(command).await.map(|()| ExitCode::SUCCESS)
}

/// Runs a command whose only results are success and failure.
async fn run_to_success(command: Command) -> Result<(), Error> {
    use commands::{
        audit, dead_letters, down, import, reconcile, replay, republish, roles, sqlx_prepare,
        staff, supervise, test, token, up,
    };
    match command {
        Command::Up(arguments) => up::run(&arguments).await,
        Command::Supervise => supervise::run().await,
        Command::Down(arguments) => down::run(&arguments).await,
        Command::Test => test::run().await,
        Command::Token(arguments) => token::run(&arguments),
        Command::Staff(arguments) => staff::run(arguments).await,
        Command::Import(arguments) => import::run(arguments).await,
        Command::Audit(arguments) => audit::run(&arguments).await,
        Command::DeadLetters(arguments) => dead_letters::run(arguments).await,
        Command::Replay(arguments) => replay::run(&arguments).await,
        Command::Republish(arguments) => republish::run(&arguments).await,
        Command::Reconcile(arguments) => reconcile::run(arguments).await,
        Command::Roles => {
            roles::run();
            Ok(())
        }
        Command::SqlxPrepare(arguments) => sqlx_prepare::run(&arguments).await,
        Command::Prove(_)
        | Command::Bench(_)
        | Command::Chaos(_)
        | Command::Eval(_)
        | Command::Topology(_)
        | Command::EventGraph
        | Command::Contracts(_)
        | Command::Letters(_) => Err(Error::OtherProgram),
    }
}
