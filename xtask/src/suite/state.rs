//! What is known of the running suite, kept in `target/suite/state.json` for the other commands.

use std::fs;
use std::io;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::Ports;
use crate::failure::Failure;
use crate::workspace;

/// How far the supervisor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Servers are started and databases migrated.
    Starting,
    /// All processes have been started.
    Running,
}

/// The running suite.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// The supervisor's process.
    pub(crate) supervisor: Supervisor,
    /// How far it is.
    pub(crate) phase: Phase,
    /// Where the services listen.
    pub(crate) ports: Ports,
    /// Where the data of the suite is.
    pub(crate) data: PathBuf,
    /// The PostgreSQL server, once it runs.
    pub(crate) postgres_url: Option<String>,
    /// The RabbitMQ vhost, once the server runs.
    pub(crate) amqp_url: Option<String>,
    /// RabbitMQ's management pages, if the server is ours and runs.
    pub(crate) management_url: Option<String>,
    /// Seconds from the start of the first server until every service was ready, once they were.
    pub(crate) ready_s: Option<f64>,
}

/// The supervisor's process. The id alone would not do: it may have gone to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Supervisor {
    id: i32,
    /// When it began, in the system's ticks since it was booted.
    began: u64,
}

impl State {
    /// What was written last, if anything was.
    pub(crate) fn read() -> Result<Option<Self>, Failure> {
        let path = path();
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|source| Failure::Content { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Failure::File { path, source }),
        }
    }

    /// The suite, if it runs.
    pub(crate) fn running() -> Result<Option<Self>, Failure> {
        Ok(Self::read()?.filter(|state| state.supervisor.is_alive()))
    }

    /// Writes it, so that a reader sees the old or the new and nothing between.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        let path = path();
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|source| Failure::Content { path: path.clone(), source })?;
        let fresh = path.with_extension("json.new");
        fs::write(&fresh, bytes).map_err(Failure::file(&fresh))?;
        fs::rename(&fresh, &path).map_err(Failure::file(path))
    }

    /// Forgets it.
    pub(crate) fn remove() -> Result<(), Failure> {
        let path = path();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::File { path, source: error })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Supervisor {
    /// This process.
    pub(crate) fn ourselves() -> Result<Self, Failure> {
        let id = rustix::process::getpid().as_raw_nonzero().get();
        let unknown = || io::Error::other("the system does not tell when this process began");
        let began =
            began(id).ok_or_else(unknown).map_err(Failure::file(format!("/proc/{id}/stat")))?;
        Ok(Self { id, began })
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(self) -> bool {
        began(self.id) == Some(self.began)
    }

    /// Asks it to stop everything, or kills it.
    pub(crate) fn send(self, signal: Signal) -> Result<(), Failure> {
        let Some(id) = Pid::from_raw(self.id).filter(|_| self.is_alive()) else { return Ok(()) };
        match kill_process(id, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(Failure::File {
                path: format!("/proc/{}", self.id).into(),
                source: error.into(),
            }),
        }
    }
}

/// When a process began, if it runs and is no zombie.
fn began(id: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // What follows the program's name, which may hold spaces, begins with the third field; the time is the 22nd.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    if matches!(fields.first(), Some(&("Z" | "X"))) {
        return None;
    }
    fields.get(19)?.parse().ok()
}

fn path() -> PathBuf {
    workspace::suite().join("state.json")
}

/// The name of the folder with the suite's data: the same for the same checkout, even when its target folder is cleaned.
pub(crate) fn data_folder_name() -> String {
    let root = workspace::root();
    let checkout = root.canonicalize().unwrap_or(root);
    format!("suite-{:016x}", xxh3_64(checkout.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::Supervisor;

    #[test]
    fn a_process_is_known_by_its_id_and_its_beginning() {
        let ourselves = Supervisor::ourselves().unwrap();
        assert!(ourselves.is_alive());
        let somebody_else = Supervisor { began: ourselves.began + 1, ..ourselves };
        assert!(!somebody_else.is_alive());
    }
}
