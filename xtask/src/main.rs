//! `cargo xtask <command>`: the commands of the project. They need the Rust toolchain alone.

mod prove;

use std::{
    env, io,
    io::Write as _,
    os::unix::process::CommandExt as _,
    process::{Command as Process, ExitCode, ExitStatus},
};

use clap::Parser as _;
use xtask::{
    Arguments, Command,
    arguments::{self, Bench, SERVICES},
    cargo,
    programs::{self, Profile},
    workspace,
};

use crate::prove::PROOFS;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot run `{command}`: {source}")]
    Start { command: String, source: io::Error },

    #[error("`{command}` failed ({status})")]
    Failed { command: String, status: ExitStatus },

    #[error("the suite is not running; `cargo xtask up` starts it")]
    NotRunning,

    #[error("`letters` is now `dead-letters`: cargo xtask dead-letters <service> …")]
    Renamed,

    #[error("there is no proof `{0}`; `cargo xtask prove` lists them")]
    UnknownProof(String),
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _closed = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<(), Error> {
    match command {
        Command::Up(_) | Command::Supervise | Command::Down(_) | Command::Roles => operate(),
        Command::Token(_)
        | Command::Staff(_)
        | Command::Import(_)
        | Command::Audit(_)
        | Command::DeadLetters(_)
        | Command::Replay(_)
        | Command::Republish(_) => {
            // Nothing is compiled to find out that there is no suite.
            if !workspace::suite().exists() {
                return Err(Error::NotRunning);
            }
            operate()
        }
        Command::Topology(_) => {
            // The services print what they declare.
            finish(programs::build(SERVICES.into_iter().chain(["suite"]), Profile::Release))?;
            replace_by("suite", Profile::Release)
        }
        Command::Reconcile(arguments) => {
            // The service itself repairs what it alone knows.
            let programs = [arguments.service.as_str(), "suite"];
            finish(programs::build(programs, Profile::Release))?;
            replace_by("suite", Profile::Release)
        }
        Command::Test | Command::SqlxPrepare(_) => {
            finish(programs::build(["suite"], Profile::Dev))?;
            replace_by("suite", Profile::Dev)
        }
        Command::Bench(bench) => {
            if matches!(bench, Bench::Quick(_)) && !workspace::suite().exists() {
                return Err(Error::NotRunning);
            }
            // Optimised: a slow load generator measures itself.
            let measured = match bench {
                Bench::Search(_) => ["product-catalog", "search-sync"].as_slice(),
                Bench::Orders(_)
                | Bench::OrdersStored(_)
                | Bench::Priority(_)
                | Bench::Messaging(_)
                | Bench::Signatures(_) => SERVICES.as_slice(),
                Bench::Quick(_) | Bench::Scale(_) | Bench::Dispatch(_) => &[],
            };
            let programs = measured.iter().copied().chain(["bench"]);
            finish(programs::build(programs, Profile::Release))?;
            replace_by("bench", Profile::Release)
        }
        Command::Eval(_) => {
            finish(programs::build(["eval"], Profile::Release))?;
            replace_by("eval", Profile::Release)
        }
        Command::Chaos(_) => {
            finish(programs::build(programs::of_suite().chain(["chaos"]), Profile::Release))?;
            replace_by("chaos", Profile::Release)
        }
        Command::Prove(arguments) => prove(arguments),
        Command::EventGraph => {
            let mut test = cargo::house_test("event_graph_is_up_to_date");
            test.env("EVENT_GRAPH", "write");
            finish(test)
        }
        Command::Contracts(arguments) => {
            let mut test = cargo::house_test("contracts_are_up_to_date");
            if arguments.check {
                test.env_remove("CONTRACTS");
            } else {
                test.env("CONTRACTS", "write");
            }
            finish(test)
        }
        Command::Letters(_) => Err(Error::Renamed),
    }
}

/// Runs this command with the program that starts and operates the suite. It is built again if sources have
/// changed.
fn operate() -> Result<(), Error> {
    finish(programs::build(["suite"], Profile::Release))?;
    replace_by("suite", Profile::Release)
}

fn prove(arguments: &arguments::Prove) -> Result<(), Error> {
    let Some(name) = &arguments.name else {
        for proof in PROOFS {
            let _closed = writeln!(io::stdout(), "{:16} {}", proof.name, proof.about);
        }
        return Ok(());
    };
    let proof = PROOFS.iter().find(|proof| proof.name == name);
    let proof = proof.ok_or_else(|| Error::UnknownProof(name.clone()))?;
    finish((proof.command)())
}

/// Runs a command to its end.
fn finish(mut command: Process) -> Result<(), Error> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Failed { command: cargo::shown(&command), status }),
        Err(source) => Err(Error::Start { command: cargo::shown(&command), source }),
    }
}

/// Replaces this process by a program with the same command line: signals and the exit status need no
/// forwarding.
fn replace_by(name: &str, profile: Profile) -> Result<(), Error> {
    let mut command = Process::new(programs::path(name, profile));
    command.args(env::args_os().skip(1));
    let source = command.exec();
    Err(Error::Start { command: cargo::shown(&command), source })
}
