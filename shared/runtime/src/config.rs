//! Configuration: one struct per concern, each field with its environment variable and its default.
//!
//! Services flatten [`Common`] into a struct of their own. A flag overrides its environment variable.

use std::{
    convert::Infallible, fmt, fs, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration,
};

use messaging::{MessageLogBounds, OutboxBounds, SignatureKeyError, SlotGroups};
use tls::{ClientFiles, ClientTls, ServerTls, TlsError, amqp};
use url::form_urlencoded::byte_serialize;

pub use crate::auth::{Oidc, Tokens};
use crate::clients::{ClientLimits, TrustedProxies};

/// The configuration of every service with a database and a broker.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Common {
    #[command(flatten)]
    pub database: Database,
    #[command(flatten)]
    pub broker: Broker,
    #[command(flatten)]
    pub outbox: Outbox,
    #[command(flatten)]
    pub message_log: MessageLog,
    #[command(flatten)]
    pub signatures: Signatures,
    #[command(flatten)]
    pub http: Http,
    #[command(flatten)]
    pub tls: Tls,
    #[command(flatten)]
    pub tokens: Tokens,
    #[command(flatten)]
    pub shutdown: Shutdown,
}

impl Common {
    /// The same, with the files of [`Tls`] in the addresses of database and broker.
    #[must_use]
    pub fn with_tls_files(mut self) -> Common {
        self.database.url = self.tls.database_url(&self.database.url);
        self.broker.url = self.tls.broker_url(&self.broker.url);
        self
    }
}

impl AsRef<Common> for Common {
    fn as_ref(&self) -> &Common {
        self
    }
}

/// The servers that `migrate` prepares.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Servers {
    #[command(flatten)]
    pub database: Database,
    #[command(flatten)]
    pub broker: Broker,
    #[command(flatten)]
    pub tls: Tls,
}

impl Servers {
    /// The same, with the files of [`Tls`] in both addresses.
    #[must_use]
    pub fn with_tls_files(mut self) -> Servers {
        self.database.url = self.tls.database_url(&self.database.url);
        self.broker.url = self.tls.broker_url(&self.broker.url);
        self
    }
}

/// The database.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Database")]
pub struct Database {
    /// Address of the service's own database, `postgres://user:password@host:port/name`, or `file:` and the path of a file that holds
    /// it. With `?sslmode=verify-full` it must have a certificate for this host. `migrate` needs the owner of the tables, all else a
    /// role that reads and writes rows. Secret.
    #[arg(
        id = "database_url",
        long = "database-url",
        env = "DATABASE_URL",
        value_name = "DATABASE_URL",
        hide_env_values = true,
        value_parser = secret
    )]
    pub url: Secret,

    /// Connections in the pool.
    #[arg(
        id = "database_pool",
        long = "database-pool",
        env = "DATABASE_POOL",
        value_name = "DATABASE_POOL",
        default_value_t = Database::POOL,
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    pub pool: u32,

    /// Longest duration of one SQL statement, in seconds, at most 35: below the timeout of event handlers.
    #[arg(
        id = "statement_timeout",
        long = "statement-timeout",
        env = "STATEMENT_TIMEOUT",
        value_name = "STATEMENT_TIMEOUT",
        default_value = "30",
        value_parser = statement_seconds
    )]
    pub statement_timeout: Duration,
}

impl Database {
    /// The default of `pool`.
    pub const POOL: u32 = 16;

    /// The database at `url` with default settings.
    pub fn at(url: impl Into<Secret>) -> Database {
        Database {
            url: url.into(),
            pool: Database::POOL,
            statement_timeout: Duration::from_secs(30),
        }
    }
}

/// The message broker.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Broker")]
pub struct Broker {
    /// Address of the broker and virtual host, `amqp://user:password@host:port/vhost`, or `amqps` for TLS. For a cluster: the
    /// addresses of its nodes, separated by commas, tried in this order. Secret.
    #[arg(
        id = "amqp_url",
        long = "amqp-url",
        env = "AMQP_URL",
        value_name = "AMQP_URL",
        hide_env_values = true,
        value_parser = secret
    )]
    pub url: Secret,

    #[command(flatten)]
    pub queues: Queues,
}

impl Broker {
    /// The broker at `url`, with default settings.
    pub fn at(url: impl Into<Secret>) -> Broker {
        Broker { url: url.into(), queues: Queues::default() }
    }
}

/// The queues of subscriptions.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Broker")]
pub struct Queues {
    /// Slot groups of aggregates that do not have two, such as `order=4,product=8`: 1, 2, 4, 8 or 16. All services and
    /// `cargo xtask topology` need the same value.
    #[arg(
        id = "slot_groups",
        long = "slot-groups",
        env = "SLOT_GROUPS",
        value_name = "SLOT_GROUPS",
        default_value = "",
        hide_default_value = true,
        value_parser = clap::value_parser!(SlotGroups)
    )]
    pub slot_groups: SlotGroups,
}

/// The bounds of the outbox: committed events that are not published yet.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Outbox")]
pub struct Outbox {
    /// Unpublished events from which on every write that emits events is refused with 503.
    #[arg(
        id = "outbox_rows",
        long = "outbox-rows",
        env = "OUTBOX_ROWS",
        value_name = "OUTBOX_ROWS",
        default_value_t = OutboxBounds::default().rows,
        value_parser = clap::value_parser!(i64).range(1..=1_000_000_000)
    )]
    pub rows: i64,

    /// Unpublished events from which on deferrable writes are refused with 503.
    #[arg(
        id = "outbox_lesser_rows",
        long = "outbox-lesser-rows",
        env = "OUTBOX_LESSER_ROWS",
        value_name = "OUTBOX_LESSER_ROWS",
        default_value_t = OutboxBounds::default().deferrable_rows,
        value_parser = clap::value_parser!(i64).range(1..=1_000_000_000)
    )]
    pub lesser_rows: i64,
}

impl Default for Outbox {
    fn default() -> Outbox {
        let OutboxBounds { rows, deferrable_rows: lesser_rows } = OutboxBounds::default();
        Outbox { rows, lesser_rows }
    }
}

impl From<&Outbox> for OutboxBounds {
    fn from(outbox: &Outbox) -> OutboxBounds {
        OutboxBounds { rows: outbox.rows, deferrable_rows: outbox.lesser_rows }
    }
}

/// The log of published messages, see [`MessageLogBounds`].
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Message log")]
pub struct MessageLog {
    /// Hours for which published events are kept, so that they can be published again.
    #[arg(
        id = "message_log_hours",
        long = "message-log-hours",
        env = "MESSAGE_LOG_HOURS",
        value_name = "MESSAGE_LOG_HOURS",
        default_value_t = MessageLog::HOURS,
        value_parser = clap::value_parser!(u64).range(1..=8_760)
    )]
    pub hours: u64,

    /// Most mebibytes of published events; the oldest are deleted before their time.
    #[arg(
        id = "message_log_mib",
        long = "message-log-mib",
        env = "MESSAGE_LOG_MIB",
        value_name = "MESSAGE_LOG_MIB",
        default_value_t = MessageLog::MEBIBYTES,
        value_parser = clap::value_parser!(u64).range(8..=1_048_576)
    )]
    pub mebibytes: u64,
}

impl MessageLog {
    const HOURS: u64 = 72;
    const MEBIBYTES: u64 = 2_048;
}

impl Default for MessageLog {
    fn default() -> MessageLog {
        MessageLog { hours: MessageLog::HOURS, mebibytes: MessageLog::MEBIBYTES }
    }
}

impl From<&MessageLog> for MessageLogBounds {
    fn from(log: &MessageLog) -> MessageLogBounds {
        MessageLogBounds {
            age: Duration::from_hours(log.hours),
            bytes: log.mebibytes * 1024 * 1024,
        }
    }
}

/// The keys of messages, see [`messaging::Signatures`].
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Signatures")]
pub struct Signatures {
    /// File with the Ed25519 private key (PKCS#8, DER) that signs the service's messages. Without it they are not signed.
    #[arg(
        id = "message_key_file",
        long = "message-key-file",
        env = "MESSAGE_KEY_FILE",
        value_name = "MESSAGE_KEY_FILE"
    )]
    pub key_file: Option<PathBuf>,

    /// Folder with the public keys of all publishers (SPKI, DER): `<service>/<any name>.pub`. With it, messages that are not signed
    /// are refused.
    #[arg(
        id = "message_public_keys",
        long = "message-public-keys",
        env = "MESSAGE_PUBLIC_KEYS",
        value_name = "MESSAGE_PUBLIC_KEYS"
    )]
    pub public_keys: Option<PathBuf>,
}

impl Signatures {
    /// Reads the keys of a service.
    pub fn open(&self, service: &'static str) -> Result<messaging::Signatures, SignatureKeyError> {
        messaging::Signatures::open(service, self.key_file.as_deref(), self.public_keys.as_deref())
    }
}

/// The HTTP server.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "HTTP")]
pub struct Http {
    /// Address to listen on; port 0 takes any free one.
    #[arg(id = "http_addr", long = "http-addr", env = "HTTP_ADDR", value_name = "HTTP_ADDR")]
    pub addr: SocketAddr,

    /// Address to listen on with TLS, beside the other one.
    #[arg(id = "https_addr", long = "https-addr", env = "HTTPS_ADDR", value_name = "HTTPS_ADDR")]
    pub https_addr: Option<SocketAddr>,

    /// Address for other programs of the suite and for scrapers of metrics: what is not public needs no token there. It uses TLS
    /// if `HTTPS_ADDR` is set. Only a private network may reach it.
    #[arg(
        id = "internal_addr",
        long = "internal-addr",
        env = "INTERNAL_ADDR",
        value_name = "INTERNAL_ADDR"
    )]
    pub internal_addr: Option<SocketAddr>,

    /// Certificate of the server for TLS (PEM), if it is not that of the program: `TLS_CERTIFICATE_FILE`.
    #[arg(
        id = "https_certificate_file",
        long = "https-certificate-file",
        env = "HTTPS_CERTIFICATE_FILE",
        value_name = "HTTPS_CERTIFICATE_FILE",
        requires = "https_key_file"
    )]
    pub https_certificate_file: Option<PathBuf>,

    /// Private key of that certificate (PEM).
    #[arg(
        id = "https_key_file",
        long = "https-key-file",
        env = "HTTPS_KEY_FILE",
        value_name = "HTTPS_KEY_FILE",
        requires = "https_certificate_file"
    )]
    pub https_key_file: Option<PathBuf>,

    /// Seconds until a request without an answer gets 503; a route may set its own.
    #[arg(
        id = "request_timeout",
        long = "request-timeout",
        env = "REQUEST_TIMEOUT",
        value_name = "REQUEST_TIMEOUT",
        default_value = "30",
        value_parser = seconds
    )]
    pub request_timeout: Duration,

    /// Connections served at once; further ones wait to be accepted.
    #[arg(
        id = "http_connections",
        long = "http-connections",
        env = "HTTP_CONNECTIONS",
        value_name = "HTTP_CONNECTIONS",
        default_value_t = Http::CONNECTIONS,
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub connections: u32,

    /// Seconds for the head of a request, from its first byte.
    #[arg(
        id = "http_head_timeout",
        long = "http-head-timeout",
        env = "HTTP_HEAD_TIMEOUT",
        value_name = "HTTP_HEAD_TIMEOUT",
        default_value = "10",
        value_parser = seconds
    )]
    pub head_timeout: Duration,

    /// What one client may do: `default`, `bench`, `off`, or figures such as `principal=100,address=200`. Requests per
    /// second of a token's subject and of an address without a token, `sessions` per minute, open `connections`, and
    /// requests that the console has `forwarded` at once.
    #[arg(
        id = "client_limits",
        long = "client-limits",
        env = "CLIENT_LIMITS",
        value_name = "CLIENT_LIMITS",
        default_value = "default",
        value_parser = clap::value_parser!(ClientLimits)
    )]
    pub client_limits: ClientLimits,

    /// Addresses and networks of proxies, separated by commas. Only they are believed when they name a client in
    /// `X-Forwarded-For` or `Forwarded`.
    #[arg(
        id = "trusted_proxies",
        long = "trusted-proxies",
        env = "TRUSTED_PROXIES",
        value_name = "TRUSTED_PROXIES",
        default_value = "",
        hide_default_value = true,
        value_parser = clap::value_parser!(TrustedProxies)
    )]
    pub trusted_proxies: TrustedProxies,
}

impl Http {
    /// The default of `connections`.
    pub const CONNECTIONS: u32 = 4096;

    /// The default of `head_timeout`.
    pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

    /// Listens on `addr` with default settings.
    pub fn at(addr: SocketAddr) -> Http {
        Http {
            addr,
            https_addr: None,
            internal_addr: None,
            https_certificate_file: None,
            https_key_file: None,
            request_timeout: Duration::from_secs(30),
            connections: Http::CONNECTIONS,
            head_timeout: Http::HEAD_TIMEOUT,
            client_limits: ClientLimits::DEFAULT,
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// Whom the program trusts, and how it identifies itself.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "TLS")]
pub struct Tls {
    /// Certificates of the CAs of broker, database and services (PEM). No others are trusted. `amqps` and `https` addresses
    /// need it.
    #[arg(
        id = "tls_ca_file",
        long = "tls-ca-file",
        env = "TLS_CA_FILE",
        value_name = "TLS_CA_FILE"
    )]
    pub ca_file: Option<PathBuf>,

    /// Certificate of the program (PEM): for `HTTPS_ADDR`, and for a broker that asks for it. It is read again when it changes.
    #[arg(
        id = "tls_certificate_file",
        long = "tls-certificate-file",
        env = "TLS_CERTIFICATE_FILE",
        value_name = "TLS_CERTIFICATE_FILE",
        requires = "tls_key_file"
    )]
    pub certificate_file: Option<PathBuf>,

    /// Private key of that certificate (PEM).
    #[arg(
        id = "tls_key_file",
        long = "tls-key-file",
        env = "TLS_KEY_FILE",
        value_name = "TLS_KEY_FILE",
        requires = "tls_certificate_file"
    )]
    pub key_file: Option<PathBuf>,
}

impl Tls {
    /// What a client of broker or services uses; `None` without `TLS_CA_FILE`.
    pub fn client(&self) -> Result<Option<ClientTls>, TlsError> {
        self.client_files().map(|files| ClientTls::open(&files)).transpose()
    }

    /// The certificate with which `http` serves, if there is one.
    pub fn server(&self, http: &Http) -> Result<Option<ServerTls>, TlsError> {
        let own = http.https_certificate_file.as_ref().zip(http.https_key_file.as_ref());
        let files = own.or_else(|| self.certificate_file.as_ref().zip(self.key_file.as_ref()));
        files.map(|(certificate, key)| ServerTls::open(certificate, key)).transpose()
    }

    /// The addresses of the broker, with the files.
    #[must_use]
    pub fn broker_url(&self, urls: &Secret) -> Secret {
        let add = |files| Secret::from(amqp::with_files(urls.expose(), &files));
        self.client_files().map_or_else(|| urls.clone(), add)
    }

    /// The address of a database, with the CA if the address demands a certificate and names no CA.
    #[must_use]
    pub fn database_url(&self, url: &Secret) -> Secret {
        let text = url.expose();
        match &self.ca_file {
            Some(file) if text.contains("sslmode=verify-") && !text.contains("sslrootcert=") => {
                let file: String = byte_serialize(file.as_os_str().as_encoded_bytes()).collect();
                Secret::from(format!("{text}&sslrootcert={file}"))
            }
            Some(_) | None => url.clone(),
        }
    }

    fn client_files(&self) -> Option<ClientFiles> {
        let identity = self.certificate_file.clone().zip(self.key_file.clone());
        Some(ClientFiles { authorities: self.ca_file.clone()?, identity })
    }
}

/// Stopping.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Shutdown")]
pub struct Shutdown {
    /// Seconds after SIGTERM for work in progress to finish before it is aborted.
    #[arg(
        id = "shutdown_timeout",
        long = "shutdown-timeout",
        env = "SHUTDOWN_TIMEOUT",
        value_name = "SHUTDOWN_TIMEOUT",
        default_value = "20",
        value_parser = seconds
    )]
    pub timeout: Duration,
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown { timeout: Duration::from_secs(20) }
    }
}

/// Parses whole seconds from 1 to 3,600, a technical timeout; for a `value_parser`.
pub fn seconds(text: &str) -> Result<Duration, String> {
    seconds_up_to(3_600, text)
}

/// Parses whole seconds from 1 to one year, a business deadline; for a `value_parser`.
pub fn term(text: &str) -> Result<Duration, String> {
    seconds_up_to(366 * 86_400, text)
}

/// Parses a statement timeout, which must be shorter than the kit's handler timeout.
fn statement_seconds(text: &str) -> Result<Duration, String> {
    seconds_up_to(35, text)
}

/// Parses a secret: the value itself, or `file:` and the path of a file that holds it; for a `value_parser`.
pub fn secret(text: &str) -> Result<Secret, String> {
    let Some(path) = text.strip_prefix("file:") else { return Ok(Secret::from(text)) };
    let content = fs::read_to_string(path);
    let content = content.map_err(|error| format!("the file {path} cannot be read: {error}"))?;
    Ok(Secret::from(content.trim()))
}

fn seconds_up_to(most: u64, text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds) if (1..=most).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("not a number of seconds from 1 to {most}")),
    }
}

/// A value that `Debug`, `Display` and the help text never print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the value.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Secret {
        Secret(value.to_owned())
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Secret {
        Secret(value)
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(value: &str) -> Result<Secret, Infallible> {
        Ok(Secret::from(value))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
