//! A private PostgreSQL.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::account::Account;
use crate::process::{DeathSignal, Process, Program};
use crate::wait::wait_for;
use crate::{Error, Folder, free_port};

/// Where Debian puts the versions that the suite is meant for, newest first.
const DEBIAN_BINARIES: [&str; 3] =
    ["/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/15/bin"];

/// How long a start may take; recovery after a kill is part of it.
const START: Duration = Duration::from_mins(1);

/// How long a fast stop may take before the server is killed.
const STOP: Duration = Duration::from_secs(30);

/// What differs from PostgreSQL's defaults. Whatever makes commits durable stays as it is.
const CONFIGURATION: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    // Each test has its pools, and many tests run side by side.
    "max_connections=400",
    "shared_buffers=256MB",
    // Fewer checkpoints: each makes the next write of every page dearer.
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
    // Small hot tables (outbox, cursors, leases) gather dead rows quickly.
    "autovacuum_naptime=5s",
    // Two processors are better spent on two queries than on two workers of one, or on compiling one.
    "max_parallel_workers_per_gather=0",
    "jit=off",
];

/// How to start one.
#[derive(Debug)]
pub struct PostgresSettings {
    /// Where its data and its log lie. A folder that holds data already is used as it is.
    pub folder: Folder,
    /// The port; a free one if `None`.
    pub port: Option<u16>,
}

/// A PostgreSQL server that we started. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Postgres {
    // The order matters: the process goes before the folder that it writes to.
    process: Option<Process>,
    binaries: PathBuf,
    account: Option<Account>,
    data: PathBuf,
    port: u16,
    folder: Folder,
}

impl Postgres {
    /// Whether PostgreSQL is installed here.
    pub fn is_installed() -> bool {
        binaries().is_ok()
    }

    /// Starts one with a fresh folder and port.
    ///
    /// # Errors
    ///
    /// When PostgreSQL is not installed or does not come up.
    pub async fn start() -> Result<Self, Error> {
        let folder = Folder::temporary("postgres")?;
        Self::start_with(PostgresSettings { folder, port: None }).await
    }

    /// Starts one as told.
    ///
    /// # Errors
    ///
    /// When PostgreSQL is not installed or does not come up.
    pub async fn start_with(settings: PostgresSettings) -> Result<Self, Error> {
        let binaries = binaries()?;
        let account = Account::for_server("postgres")?;
        let port = settings.port.map_or_else(free_port, Ok)?;
        let data = settings.folder.inner("data", account.as_ref())?;
        let mut server =
            Self { process: None, binaries, account, data, port, folder: settings.folder };
        if !server.data.join("PG_VERSION").exists() {
            server.initialise()?;
        }
        server.restart().await?;
        Ok(server)
    }

    /// Makes the empty data folder. Everybody on the loopback may be anybody; nobody else gets in.
    fn initialise(&self) -> Result<(), Error> {
        self.program("initdb", DeathSignal::Kill)
            .arguments(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .arguments(["--no-instructions", "--pgdata"])
            .argument(&self.data)
            .run()
    }

    /// Starts it again with the same data on the same port, after [`kill`](Self::kill) or [`stop`](Self::stop), and waits
    /// until it takes connections. One that runs is stopped first.
    ///
    /// # Errors
    ///
    /// When it does not come up.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.stop().await?;
        let mut program = self
            .program("postgres", DeathSignal::Quit)
            .arguments(["-D".as_ref(), self.data.as_os_str()])
            .arguments(["-p", &self.port.to_string()]);
        for setting in CONFIGURATION {
            program = program.arguments(["-c", setting]);
        }
        let sockets = format!("unix_socket_directories={}", self.data.display());
        let mut process = program.arguments(["-c", &sockets]).start()?;
        let options = self.connect_options("postgres")?;
        // A server that has ended ends the wait too.
        wait_for("PostgreSQL takes connections", START, async || {
            if !process.is_alive() {
                return Ok(());
            }
            match options.connect().await {
                Ok(connection) => connection.close().await,
                Err(error) => Err(error),
            }
        })
        .await?;
        process.check_alive()?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills the server and all its sessions with SIGKILL.
    ///
    /// # Errors
    ///
    /// When it does not run or is not gone in time.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.running()?.kill().await?;
        self.process = None;
        Ok(())
    }

    /// Stops it ("fast": sessions are ended, then everything is written). One that does not run is fine.
    ///
    /// # Errors
    ///
    /// When it cannot be signalled.
    pub async fn stop(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.stop_with(Signal::INT, STOP).await?;
        }
        Ok(())
    }

    /// The process, to pause it, to see whether it lives, or to read its log.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn running(&mut self) -> Result<&mut Process, Error> {
        self.process.as_mut().ok_or_else(|| Error::NotRunning("PostgreSQL".to_owned()))
    }

    /// The folder with data and log.
    pub fn folder(&mut self) -> &mut Folder {
        &mut self.folder
    }

    /// The port, the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address without a database: `postgres://postgres@127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// The address of a database.
    pub fn database_url(&self, database: &str) -> String {
        database_url(&self.url(), database)
    }

    /// Creates a database if it is not there, and gives its address.
    ///
    /// # Errors
    ///
    /// When PostgreSQL refuses.
    pub async fn create_database(&self, database: &str) -> Result<String, Error> {
        create_database(&self.url(), database).await
    }

    fn connect_options(&self, database: &str) -> Result<PgConnectOptions, Error> {
        Ok(self.database_url(database).parse()?)
    }

    /// One of PostgreSQL's programs, run as the account, with a log beside the data.
    fn program(&self, name: &str, signal: DeathSignal) -> Program {
        let log = self.folder.path().join("postgres.log");
        Program::new(name, self.binaries.join(name), log)
            .bare_environment()
            .variable("LC_ALL", "C")
            .variable("TZ", "UTC")
            .directory(&self.data)
            .account(self.account.as_ref())
            .death_signal(signal)
    }
}

/// Where `postgres` and `initdb` lie.
fn binaries() -> Result<PathBuf, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    DEBIAN_BINARIES
        .iter()
        .map(PathBuf::from)
        .chain(env::split_paths(&path))
        .find(|folder| is_file(&folder.join("postgres")) && is_file(&folder.join("initdb")))
        .ok_or(Error::NotInstalled { program: "PostgreSQL", package: "postgresql" })
}

fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// The address of a database on the server at `server`, which is `postgres://user@host:port`, with or without a path.
pub fn database_url(server: &str, database: &str) -> String {
    let (server, query) = server.split_once('?').map_or((server, None), |(a, b)| (a, Some(b)));
    let authority = server.find("://").map_or(0, |at| at + 3);
    let end = server[authority..].find('/').map_or(server.len(), |at| authority + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{database}{query}", &server[..end])
}

/// Creates a database on the server at `server` if it is not there, and gives its address.
///
/// # Errors
///
/// When the server cannot be reached or refuses.
pub async fn create_database(server: &str, database: &str) -> Result<String, Error> {
    match administer(server, &format!("create database {}", quoted(database))).await {
        Ok(()) => {}
        Err(Error::Sql(sqlx::Error::Database(error))) if is_duplicate(error.as_ref()) => {}
        Err(error) => return Err(error),
    }
    Ok(database_url(server, database))
}

/// Drops a database if it is there, with all who are connected to it.
pub(crate) async fn drop_database(server: &str, database: &str) -> Result<(), Error> {
    administer(server, &format!("drop database if exists {} with (force)", quoted(database))).await
}

/// Whether a `create database` failed because there is one of that name. Two who create it at once may both find none, and
/// then one of them fails at the index of the catalogue.
fn is_duplicate(error: &dyn sqlx::error::DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("42P04" | "23505"))
}

/// A name as it is written in a statement.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Runs one statement in the server's own database. Names cannot be parameters, so the caller has quoted them.
async fn administer(server: &str, statement: &str) -> Result<(), Error> {
    let options: PgConnectOptions = database_url(server, "postgres").parse()?;
    let mut connection = options.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
