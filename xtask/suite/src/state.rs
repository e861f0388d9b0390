//! The state of the running suite, stored in `target/suite/state.json` for the other commands.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use audit::{Databases, SERVICES};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use testkit::database_url;
use xtask::workspace;
use xxhash_rust::xxh3::xxh3_64;

use crate::{error::Error, keys::Keys, services::Ports};

/// The progress of the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Servers start and databases are migrated.
    Starting,
    /// All processes have been started.
    Running,
}

/// The running suite.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub supervisor: Supervisor,
    pub phase: Phase,
    pub ports: Ports,
    /// The folder of the suite's data.
    pub data: PathBuf,
    /// The superuser of the PostgreSQL server; set once it runs. That of a private server has no password: the folder of its socket is
    /// private.
    pub postgres_url: Option<String>,
    /// Host and port of a private PostgreSQL server, where each program has a role of its own. None on an external one.
    #[serde(default)]
    pub postgres_address: Option<String>,
    /// The vhost; set once the RabbitMQ server runs.
    pub amqp_url: Option<String>,
    /// Whether each program has a user of its own on the broker.
    #[serde(default)]
    pub has_broker_users: bool,
    /// RabbitMQ's management API; set once a private server runs.
    pub management_url: Option<String>,
    /// Seconds from the start of the first server until all services were ready.
    pub ready_s: Option<f64>,
    /// The bounds per client: a profile or figures.
    #[serde(default)]
    pub client_limits: String,
}

/// The profile of the bounds per client unless `CLIENT_LIMITS` names another.
pub const DEFAULT_LIMITS: &str = "default";

/// The supervisor's process. The start time detects a reused process id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervisor {
    id: i32,
    /// In clock ticks since the system booted.
    #[serde(alias = "began")]
    started: u64,
}

impl State {
    /// The databases of the services, which are named like their services, for the audit.
    pub fn databases(&self) -> Result<Databases, Error> {
        let url = |service| Ok((service, self.database_url(service, database_roles::AUDIT)?));
        let urls = SERVICES.into_iter().map(url).collect::<Result<_, Error>>()?;
        Ok(Databases::new(urls))
    }

    /// The database of a service for a role. On an external server one role does everything.
    pub fn database_url(&self, service: &str, role: &str) -> Result<String, Error> {
        let Some(address) = &self.postgres_address else {
            let server = self.postgres_url.as_deref().unwrap_or_default();
            return Ok(database_url(server, service));
        };
        let password = Keys::in_suite().database_password(role)?;
        Ok(format!("postgres://{role}:{password}@{address}/{service}"))
    }

    /// The state that was written last.
    pub fn read() -> Result<Option<Self>, Error> {
        let path = path();
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|source| Error::Content { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// The state of the suite if it runs.
    pub fn running() -> Result<Option<Self>, Error> {
        Ok(Self::read()?.filter(|state| state.supervisor.is_alive()))
    }

    /// Replaces the file atomically.
    pub fn write(&self) -> Result<(), Error> {
        let path = path();
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|source| Error::Content { path: path.clone(), source })?;
        let fresh = path.with_extension("json.new");
        // It has the address of the broker with its password.
        OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&fresh)
            .and_then(|mut file| file.write_all(&bytes))
            .map_err(Error::file(&fresh))?;
        fs::rename(&fresh, &path).map_err(Error::file(path))
    }

    /// Removes the file.
    pub fn remove() -> Result<(), Error> {
        let path = path();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::File { path, source: error })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Supervisor {
    /// The current process.
    pub fn this_process() -> Result<Self, Error> {
        let id = rustix::process::getpid().as_raw_nonzero().get();
        let unknown = || io::Error::other("no start time");
        let started =
            started(id).ok_or_else(unknown).map_err(Error::file(format!("/proc/{id}/stat")))?;
        Ok(Self { id, started })
    }

    pub fn is_alive(self) -> bool {
        started(self.id) == Some(self.started)
    }

    /// Sends a signal if the process is alive.
    pub fn send(self, signal: Signal) -> Result<(), Error> {
        let Some(id) = Pid::from_raw(self.id).filter(|_| self.is_alive()) else { return Ok(()) };
        match kill_process(id, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => {
                Err(Error::File { path: format!("/proc/{}", self.id).into(), source: error.into() })
            }
        }
    }
}

/// The start time of a process, unless it has ended or is a zombie.
fn started(id: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field, the program's name, may contain spaces. After it comes the third field; the start
    // time is the 22nd.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    if matches!(fields.first(), Some(&("Z" | "X"))) {
        return None;
    }
    fields.get(19)?.parse().ok()
}

fn path() -> PathBuf {
    workspace::suite().join("state.json")
}

/// The name of the folder with the suite's data. It depends on the path of the checkout alone, so that it
/// survives `cargo clean`.
pub fn data_folder_name() -> String {
    let root = workspace::root();
    let checkout = root.canonicalize().unwrap_or(root);
    format!("suite-{:016x}", xxh3_64(checkout.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::Supervisor;

    #[test]
    fn reused_process_id_is_detected() {
        let this = Supervisor::this_process().unwrap();
        assert!(this.is_alive());
        let other = Supervisor { started: this.started + 1, ..this };
        assert!(!other.is_alive());
    }
}
