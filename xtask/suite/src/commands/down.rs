//! Stops the suite.

use std::{fs, io, time::Duration};

use rustix::process::Signal;
use suite::{Error, State, data_folder_name, output};
use testkit::{DataDir, wait_until};
use xtask::{arguments::Down, workspace};

use super::supervise::{POSTGRES_FOLDER, RABBITMQ_FOLDER};

/// Timeout of a graceful stop: services finish their work in progress, servers flush to disk.
const STOP_TIMEOUT: Duration = Duration::from_mins(2);

/// Timeout after SIGKILL.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// Stops the suite if it runs, and deletes its data with `--wipe`.
pub(crate) async fn run(arguments: &Down) -> Result<(), Error> {
    match State::running()? {
        Some(state) => {
            output::line("Stopping the suite …");
            stop(&state).await?;
            output::line("Stopped.");
        }
        None => output::line("The suite is not running."),
    }
    if arguments.wipe {
        wipe()?;
    }
    Ok(())
}

/// Stops the supervisor, which stops everything that it started.
async fn stop(state: &State) -> Result<(), Error> {
    let supervisor = state.supervisor;
    supervisor.send(Signal::TERM)?;
    let gone = async || !supervisor.is_alive();
    if wait_until("the supervisor has stopped", STOP_TIMEOUT, gone).await.is_err() {
        output::line("The supervisor does not stop; killing it.");
        supervisor.send(Signal::KILL)?;
        wait_until("the supervisor has stopped", KILL_TIMEOUT, gone).await?;
    }
    State::remove()
}

/// Deletes the data. Databases on external servers are kept.
fn wipe() -> Result<(), Error> {
    let name = data_folder_name();
    for folder in
        [name.clone(), format!("{name}{POSTGRES_FOLDER}"), format!("{name}{RABBITMQ_FOLDER}")]
    {
        DataDir::persistent(&folder)?.remove_on_drop();
    }
    let suite = workspace::suite();
    match fs::remove_dir_all(&suite) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::File { path: suite, source: error });
        }
        Ok(()) | Err(_) => output::line("The data of the suite is deleted."),
    }
    Ok(())
}
