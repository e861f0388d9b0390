//! Stops the suite.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::Signal;
use testkit::{DataDir, wait_until};

use crate::failure::Failure;
use crate::suite::{State, data_folder_name};
use crate::supervise::{POSTGRES_FOLDER, RABBITMQ_FOLDER};
use crate::{say, workspace};

/// How long an orderly end may take: the services finish what they have in hand, the servers write what they hold.
const STOP: Duration = Duration::from_mins(2);

/// How long a killed supervisor may take to be gone, and what it started with it.
const KILL: Duration = Duration::from_secs(10);

/// How to stop.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Delete the data of the private servers too, the search index and the keys.
    #[arg(long)]
    wipe: bool,
}

/// Stops the suite if it runs, and deletes its data if asked to.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    match State::running()? {
        Some(state) => {
            say::line("Stopping the suite …");
            stop(&state).await?;
            say::line("Stopped.");
        }
        None => say::line("The suite is not running."),
    }
    if arguments.wipe {
        wipe()?;
    }
    Ok(())
}

/// Stops the supervisor, which stops what it started.
pub(crate) async fn stop(state: &State) -> Result<(), Failure> {
    let supervisor = state.supervisor;
    supervisor.send(Signal::TERM)?;
    let gone = async || !supervisor.is_alive();
    if wait_until("the supervisor is gone", STOP, gone).await.is_err() {
        say::line("It does not stop and is killed.");
        supervisor.send(Signal::KILL)?;
        wait_until("the supervisor is gone", KILL, gone).await?;
    }
    State::remove()
}

/// Deletes the data. Databases on a server that is not ours are left alone.
fn wipe() -> Result<(), Failure> {
    let name = data_folder_name();
    for folder in
        [name.clone(), format!("{name}{POSTGRES_FOLDER}"), format!("{name}{RABBITMQ_FOLDER}")]
    {
        DataDir::persistent(&folder)?.remove_on_drop();
    }
    let suite = workspace::suite();
    match fs::remove_dir_all(&suite) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::File { path: suite, source: error });
        }
        Ok(()) | Err(_) => say::line("Its data is deleted."),
    }
    Ok(())
}
