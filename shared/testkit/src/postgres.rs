//! A private PostgreSQL.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rabbitmq_management::percent_encoded;
use rustix::process::Signal;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, postgres::PgConnectOptions};

use crate::{
    account::Account,
    data_dir::DataDir,
    error::Error,
    ports::free_port,
    process::{DeathSignal, Process, Program},
    tls_files::TlsFiles,
    wait::wait_for,
};

/// Debian's binaries of the supported versions, newest first.
const DEBIAN_BINARIES: [&str; 3] =
    ["/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/15/bin"];

/// Includes recovery after a kill.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// The server is killed if a fast shutdown takes longer.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Settings that differ from PostgreSQL's defaults. Durability settings keep their defaults.
const CONFIGURATION: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    // Many tests run at once, each with its own pools.
    "max_connections=400",
    "shared_buffers=256MB",
    // Fewer checkpoints, because the first write to a page after a checkpoint logs the whole page.
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
    // Small, frequently updated tables (outbox, cursors, leases) collect dead rows quickly.
    "autovacuum_naptime=5s",
    // On two processors, parallel workers and JIT compilation slow down other queries.
    "max_parallel_workers_per_gather=0",
    "jit=off",
];

/// Who may connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Every program of this machine, as any role.
    #[default]
    Trust,
    /// Roles with their passwords (SCRAM-SHA-256). The superuser has none: it connects through a socket in a private folder, from the
    /// account of this process.
    Passwords,
}

/// Where a server keeps its data, which port it uses, and who may connect.
#[derive(Debug)]
pub struct PostgresSettings {
    /// Contains data and log. Existing data is reused.
    pub data_dir: DataDir,
    /// A free port if `None`.
    pub port: Option<u16>,
    /// Accepts only encrypted connections over TCP, with these files.
    pub tls: Option<TlsFiles>,
    /// Also changes who may connect to existing data.
    pub authentication: Authentication,
}

/// A private PostgreSQL server, killed when this value is dropped.
#[derive(Debug)]
pub struct Postgres {
    // Fields are dropped in this order: the process must end before its data directory is removed.
    process: Option<Process>,
    binaries: PathBuf,
    account: Option<Account>,
    data: PathBuf,
    port: u16,
    tls: Option<TlsFiles>,
    authentication: Authentication,
    data_dir: DataDir,
}

impl Postgres {
    /// Whether PostgreSQL is installed on this machine.
    pub fn is_installed() -> bool {
        binaries().is_ok()
    }

    /// Starts a server for tests on a free port, with a new data directory [in memory](DataDir::in_memory).
    pub async fn start() -> Result<Self, Error> {
        Self::start_in(DataDir::in_memory("postgres")?).await
    }

    /// Starts a server on a free port.
    pub async fn start_in(data_dir: DataDir) -> Result<Self, Error> {
        let authentication = Authentication::Trust;
        let settings = PostgresSettings { data_dir, port: None, tls: None, authentication };
        Self::start_with(settings).await
    }

    /// Starts a server with the given settings.
    pub async fn start_with(settings: PostgresSettings) -> Result<Self, Error> {
        let PostgresSettings { data_dir, port, tls, authentication } = settings;
        let binaries = binaries()?;
        let account = Account::for_server("postgres")?;
        let port = port.map_or_else(free_port, Ok)?;
        let data = data_dir.subdirectory("data", account.as_ref())?;
        let process = None;
        let mut server =
            Self { process, binaries, account, data, port, tls, authentication, data_dir };
        if !server.data.join("PG_VERSION").exists() {
            server.initialise()?;
        }
        server.restart().await?;
        Ok(server)
    }

    /// Initialises the cluster. It trusts all local connections, unless passwords are required before it starts, and listens on the
    /// loopback interface only.
    fn initialise(&self) -> Result<(), Error> {
        self.program("initdb", DeathSignal::Kill)
            .arguments(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .arguments(["--no-instructions", "--pgdata"])
            .argument(&self.data)
            .run()
    }

    /// Replaces the rules of who may connect. With certificates, only encrypted connections over TCP are accepted.
    fn write_access_rules(&self) -> Result<(), Error> {
        let host = if self.tls.is_some() { "hostssl" } else { "host" };
        let rules = match self.authentication {
            Authentication::Trust => {
                format!("local all all trust\n{host} all all 127.0.0.1/32 trust\n")
            }
            Authentication::Passwords => format!(
                "local all postgres peer map=administrator\n\
                 local all all scram-sha-256\n\
                 host all postgres all reject\n\
                 {host} all all 127.0.0.1/32 scram-sha-256\n"
            ),
        };
        let accounts = format!("administrator \"{}\" postgres\n", account_name()?);
        for (name, content) in [("pg_hba.conf", rules), ("pg_ident.conf", accounts)] {
            let path = self.data.join(name);
            fs::write(&path, content).map_err(Error::file(&path))?;
            if let Some(account) = &self.account {
                account.take_ownership(&path)?;
            }
        }
        Ok(())
    }

    /// Starts the server with the same data and port, and waits until it accepts connections. Stops it first if it is
    /// running.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.stop().await?;
        let mut program = self
            .program("postgres", DeathSignal::Quit)
            .arguments(["-D".as_ref(), self.data.as_os_str()])
            .arguments(["-p", &self.port.to_string()]);
        for setting in CONFIGURATION {
            program = program.arguments(["-c", setting]);
        }
        if self.tls.is_some() || self.authentication == Authentication::Passwords {
            self.write_access_rules()?;
        }
        if let Some(tls) = &self.tls {
            tls.copy_to(&self.data, self.account.as_ref())?;
            let [authority, certificate, key] = TlsFiles::NAMES;
            program = program
                .arguments(["-c", "ssl=on", "-c", &format!("ssl_ca_file={authority}")])
                .arguments(["-c", &format!("ssl_cert_file={certificate}")])
                .arguments(["-c", &format!("ssl_key_file={key}")]);
        }
        let sockets = format!("unix_socket_directories={}", self.data.display());
        let mut process = program.arguments(["-c", &sockets]).start()?;
        let options = self.connect_options("postgres")?;
        // If the server exits, `check_alive` below reports it.
        wait_for("PostgreSQL accepts connections", START_TIMEOUT, async || {
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

    /// Takes other certificates without a restart. Open connections keep the former ones.
    pub async fn replace_certificates(&mut self, tls: TlsFiles) -> Result<(), Error> {
        tls.copy_to(&self.data, self.account.as_ref())?;
        self.tls = Some(tls);
        administer(&self.url(), "select pg_reload_conf()").await
    }

    /// Kills the server and all its sessions with SIGKILL.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.running()?.kill().await?;
        self.process = None;
        Ok(())
    }

    /// Shuts the server down in "fast" mode: ends all sessions, then writes a checkpoint. Does nothing if it is not running.
    pub async fn stop(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.stop_with(Signal::INT, STOP_TIMEOUT).await?;
        }
        Ok(())
    }

    /// The process, to pause it, check it or read its log. Fails if it is not running.
    pub fn running(&mut self) -> Result<&mut Process, Error> {
        self.process.as_mut().ok_or_else(|| Error::NotRunning("PostgreSQL".to_owned()))
    }

    pub fn data_dir(&mut self) -> &mut DataDir {
        &mut self.data_dir
    }

    /// The port; a restart does not change it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the superuser without a database: `postgres://postgres@127.0.0.1:<port>`, with the folder of the socket as its host if
    /// passwords are required.
    pub fn url(&self) -> String {
        let url = format!("postgres://postgres@127.0.0.1:{}", self.port);
        match self.authentication {
            Authentication::Trust => url,
            Authentication::Passwords => {
                format!("{url}?host={}", percent_encoded(&self.data.to_string_lossy()))
            }
        }
    }

    /// The URL of a database.
    pub fn database_url(&self, database: &str) -> String {
        database_url(&self.url(), database)
    }

    /// Creates a database unless it exists, and returns its URL.
    pub async fn create_database(&self, database: &str) -> Result<String, Error> {
        create_database(&self.url(), database).await
    }

    /// One of PostgreSQL's client programs, such as `pgbench`, connected to this server. Its output is appended to the
    /// file `log`.
    pub fn client(&self, name: &str, log: impl Into<PathBuf>) -> Program {
        Program::new(name, self.binaries.join(name), log)
            .variable("PGHOST", "127.0.0.1")
            .variable("PGPORT", self.port.to_string())
            .variable("PGUSER", "postgres")
    }

    fn connect_options(&self, database: &str) -> Result<PgConnectOptions, Error> {
        Ok(self.database_url(database).parse()?)
    }

    /// One of PostgreSQL's programs, run under the account, with its log in the data directory.
    fn program(&self, name: &str, signal: DeathSignal) -> Program {
        let log = self.data_dir.path().join("postgres.log");
        Program::new(name, self.binaries.join(name), log)
            .clean_environment()
            .variable("LC_ALL", "C")
            .variable("TZ", "UTC")
            .directory(&self.data)
            .account(self.account.as_ref())
            .death_signal(signal)
    }
}

/// The directory of `postgres` and `initdb`.
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

/// The URL of a database on the server at `server`: `postgres://user@host:port`, with or without a path.
pub fn database_url(server: &str, database: &str) -> String {
    let (server, query) = server.split_once('?').map_or((server, None), |(a, b)| (a, Some(b)));
    let authority = server.find("://").map_or(0, |at| at + 3);
    let end = server[authority..].find('/').map_or(server.len(), |at| authority + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{database}{query}", &server[..end])
}

/// Creates a database on the server at `server` unless it exists, and returns its URL.
pub async fn create_database(server: &str, database: &str) -> Result<String, Error> {
    match administer(server, &format!("create database {}", quoted(database))).await {
        Ok(()) => {}
        Err(Error::Sql(sqlx::Error::Database(error))) if is_duplicate(error.as_ref()) => {}
        Err(error) => return Err(error),
    }
    Ok(database_url(server, database))
}

/// Drops a database if it exists, and ends its sessions.
pub(crate) async fn drop_database(server: &str, database: &str) -> Result<(), Error> {
    administer(server, &format!("drop database if exists {} with (force)", quoted(database))).await
}

/// Whether `create database` failed because the database exists. If two clients create it at once, one may violate the unique
/// index of the catalogue (23505) instead.
fn is_duplicate(error: &dyn sqlx::error::DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("42P04" | "23505"))
}

/// A quoted identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Runs one statement in the database `postgres`. The caller quotes identifiers, because they cannot be parameters.
pub(crate) async fn administer(server: &str, statement: &str) -> Result<(), Error> {
    run_sql(&database_url(server, "postgres"), statement).await
}

/// Runs SQL in the database at `url`: several statements are one transaction.
pub async fn run_sql(url: &str, script: &str) -> Result<(), Error> {
    let options: PgConnectOptions = url.parse()?;
    let mut connection = options.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// The name of the account of this process.
fn account_name() -> Result<String, Error> {
    let output = Command::new("id").arg("-un").output().map_err(Error::file("id"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
