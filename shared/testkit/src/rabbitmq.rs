//! A private RabbitMQ.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::Rng as _;
use rand::distr::Alphanumeric;
use tokio::net::TcpStream;

use crate::account::Account;
use crate::management::{Management, encoded};
use crate::process::{Process, Program};
use crate::wait::wait_for;
use crate::{Error, Folder, free_port};

/// Where the server's own scripts lie on Debian. Those in `PATH` refuse everybody but root and `rabbitmq`.
const DEBIAN_SCRIPTS: &str = "/usr/lib/rabbitmq/bin";

/// The name of the node, which names its data too: it stays when the ports change. It need only be unique to a port mapper,
/// and each server has its own; those of a cluster share one and are numbered.
const NODE: &str = "shop@localhost";

/// How long a start may take; recovery of the queues is part of it.
const START: Duration = Duration::from_mins(2);

/// How long an orderly stop may take before the server is killed.
const STOP: Duration = Duration::from_mins(1);

/// The port mapper has nothing to tidy up.
const STOP_PORT_MAPPER: Duration = Duration::from_secs(5);

/// The ports of one server, all on the loopback, the same over restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RabbitMqPorts {
    /// AMQP 0-9-1.
    pub amqp: u16,
    /// The management API and its pages.
    pub management: u16,
    /// Figures for Prometheus.
    pub prometheus: u16,
    /// Erlang's distribution, which the command line tools use.
    pub distribution: u16,
    /// Erlang's port mapper, our own.
    pub port_mapper: u16,
}

impl RabbitMqPorts {
    /// Five free ports.
    ///
    /// # Errors
    ///
    /// When they are not to be had.
    pub fn free() -> Result<Self, Error> {
        Ok(Self {
            amqp: free_port()?,
            management: free_port()?,
            prometheus: free_port()?,
            distribution: free_port()?,
            port_mapper: free_port()?,
        })
    }
}

/// How to start one.
#[derive(Debug)]
pub struct RabbitMqSettings {
    /// Where its data and its logs lie. A folder that holds data already is used as it is.
    pub folder: Folder,
    /// The ports; free ones if `None`.
    pub ports: Option<RabbitMqPorts>,
}

/// A server's place in a cluster.
#[derive(Debug)]
pub(crate) struct Place {
    /// The name of the node.
    pub(crate) node: String,
    /// The node that it joins at its first start; itself for the first of a cluster.
    pub(crate) joins: String,
    /// The secret by which the nodes know one another.
    pub(crate) cookie: String,
    /// The port of the port mapper, if another node runs it.
    pub(crate) port_mapper: Option<u16>,
}

/// A RabbitMQ server that we started, with a port mapper of its own. Both are killed when this value is dropped.
#[derive(Debug)]
pub struct RabbitMq {
    // The order matters: the processes go before the folder that they write to.
    process: Option<Process>,
    port_mapper: Option<Process>,
    scripts: PathBuf,
    account: Option<Account>,
    home: PathBuf,
    ports: RabbitMqPorts,
    management: Management,
    place: Place,
    folder: Folder,
}

/// A secret for the nodes of a cluster, or of a single server.
pub(crate) fn cookie() -> String {
    rand::rng().sample_iter(Alphanumeric).take(32).map(char::from).collect()
}

impl RabbitMq {
    /// Whether RabbitMQ is installed here.
    pub fn is_installed() -> bool {
        scripts().is_ok()
    }

    /// Starts one with a fresh folder and ports.
    ///
    /// # Errors
    ///
    /// When RabbitMQ is not installed or does not come up.
    pub async fn start() -> Result<Self, Error> {
        let folder = Folder::temporary("rabbitmq")?;
        Self::start_with(RabbitMqSettings { folder, ports: None }).await
    }

    /// Starts one as told.
    ///
    /// # Errors
    ///
    /// When RabbitMQ is not installed or does not come up.
    pub async fn start_with(settings: RabbitMqSettings) -> Result<Self, Error> {
        let (node, joins) = (NODE.to_owned(), NODE.to_owned());
        let place = Place { node, joins, cookie: cookie(), port_mapper: None };
        Self::start_at(place, settings).await
    }

    /// Starts one at its place in a cluster.
    pub(crate) async fn start_at(place: Place, settings: RabbitMqSettings) -> Result<Self, Error> {
        let account = Account::for_server("rabbitmq")?;
        let mut ports = settings.ports.map_or_else(RabbitMqPorts::free, Ok)?;
        ports.port_mapper = place.port_mapper.unwrap_or(ports.port_mapper);
        let mut server = Self {
            process: None,
            port_mapper: None,
            scripts: scripts()?,
            home: settings.folder.inner("home", account.as_ref())?,
            account,
            ports,
            management: Management::new(&format!("http://127.0.0.1:{}", ports.management))?,
            place,
            folder: settings.folder,
        };
        server.configure()?;
        server.restart().await?;
        Ok(server)
    }

    /// Writes the files that the server reads at its start.
    fn configure(&self) -> Result<(), Error> {
        let RabbitMqPorts { amqp, management, prometheus, .. } = self.ports;
        let joins = &self.place.joins;
        let configuration = format!(
            "listeners.tcp.1 = 127.0.0.1:{amqp}\n\
             management.tcp.ip = 127.0.0.1\n\
             management.tcp.port = {management}\n\
             prometheus.tcp.ip = 127.0.0.1\n\
             prometheus.tcp.port = {prometheus}\n\
             loopback_users.guest = true\n\
             # The default is a share of the memory, which a small disk does not have free.\n\
             disk_free_limit.absolute = 64MB\n\
             # Counts that a test waits for are half a second old at most.\n\
             collect_statistics_interval = 500\n\
             cluster_formation.peer_discovery_backend = classic_config\n\
             cluster_formation.classic_config.nodes.1 = {joins}\n"
        );
        self.write("rabbitmq.conf", &configuration)?;
        // The same for quorum queues and streams, which have a clock of their own and no key in the file above.
        self.write("advanced.config", "[{rabbit, [{quorum_tick_interval, 500}]}].\n")?;
        self.write("plugins", "[rabbitmq_management,rabbitmq_prometheus].\n")?;
        // The settings of a server that this machine may have besides must not leak into ours.
        self.write("rabbitmq-env.conf", "")?;
        let cookie = self.home.join(".erlang.cookie");
        if !cookie.exists() {
            self.write(".erlang.cookie", &self.place.cookie)?;
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o400);
            fs::set_permissions(&cookie, private).map_err(Error::file(&cookie))?;
        }
        Ok(())
    }

    fn write(&self, name: &str, contents: &str) -> Result<(), Error> {
        let path = self.home.join(name);
        fs::write(&path, contents).map_err(Error::file(&path))?;
        self.account.as_ref().map_or(Ok(()), |account| account.own(&path))
    }

    /// Starts it again with the same data on the same ports, after [`kill`](Self::kill) or [`stop`](Self::stop), and waits
    /// until it takes connections and its management API answers. One that runs is stopped first.
    ///
    /// # Errors
    ///
    /// When it does not come up.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.stop_server().await?;
        self.start_port_mapper().await?;
        let script = self.scripts.join("rabbitmq-server");
        // Told that a service manager watches it, the script becomes the server instead of waiting for it: our child is then
        // the server itself, and SIGTERM and SIGKILL go where they should.
        let program =
            self.program("rabbitmq", &script).variable("RUNNING_UNDER_SYSTEMD", "true").variable(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            );
        let mut process = program.start()?;
        let (port, management) = (self.ports.amqp, self.management.clone());
        // A server that has ended ends the wait too.
        wait_for("RabbitMQ takes connections", START, async || {
            if !process.is_alive() {
                return Ok(());
            }
            TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| error.to_string())?;
            management.check().await.map_err(|error| error.to_string())
        })
        .await?;
        process.check_alive()?;
        self.process = Some(process);
        Ok(())
    }

    /// Erlang's port mapper in the foreground, as our own child. The one that a server would start for itself is a daemon
    /// that outlives it.
    async fn start_port_mapper(&mut self) -> Result<(), Error> {
        let is_ours = self.place.port_mapper.is_none();
        if !is_ours || self.port_mapper.as_ref().is_some_and(Process::is_alive) {
            return Ok(());
        }
        let port = self.ports.port_mapper;
        let mut process = self
            .program("epmd", Path::new("epmd"))
            .arguments(["-port", &port.to_string(), "-address", "127.0.0.1"])
            .start()?;
        wait_for("the port mapper takes connections", START, async || {
            if !process.is_alive() {
                return Ok(());
            }
            TcpStream::connect(("127.0.0.1", port)).await.map(drop)
        })
        .await?;
        process.check_alive()?;
        self.port_mapper = Some(process);
        Ok(())
    }

    /// Kills the server with SIGKILL. Its port mapper goes on, as it does in life.
    ///
    /// # Errors
    ///
    /// When it does not run or is not gone in time.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.running()?.kill().await?;
        self.process = None;
        Ok(())
    }

    /// Stops it in order, and its port mapper. One that does not run is fine.
    ///
    /// # Errors
    ///
    /// When it cannot be signalled.
    pub async fn stop(&mut self) -> Result<(), Error> {
        self.stop_server().await?;
        if let Some(mut port_mapper) = self.port_mapper.take() {
            port_mapper.stop(STOP_PORT_MAPPER).await?;
        }
        Ok(())
    }

    async fn stop_server(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.stop(STOP).await?;
        }
        Ok(())
    }

    /// The process, to pause it, to see whether it lives, or to read its log.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn running(&mut self) -> Result<&mut Process, Error> {
        self.process.as_mut().ok_or_else(|| Error::NotRunning("RabbitMQ".to_owned()))
    }

    /// The folder with data and logs.
    pub fn folder(&mut self) -> &mut Folder {
        &mut self.folder
    }

    /// The ports, the same over restarts.
    pub fn ports(&self) -> RabbitMqPorts {
        self.ports
    }

    /// The management API, as `guest`.
    pub fn management(&self) -> &Management {
        &self.management
    }

    /// The address without a vhost: `amqp://guest:guest@127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.ports.amqp)
    }

    /// The address of a vhost; that of the default vhost is `/`.
    pub fn vhost_url(&self, vhost: &str) -> String {
        vhost_url(&self.url(), vhost)
    }

    /// Creates a vhost if it is not there, and gives its address.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn create_vhost(&self, vhost: &str) -> Result<String, Error> {
        self.management.create_vhost(vhost).await?;
        Ok(self.vhost_url(vhost))
    }

    /// Raises or clears the memory alarm, under which the server reads nothing from connections that publish.
    ///
    /// # Errors
    ///
    /// When the server cannot be told.
    pub async fn set_memory_alarm(&self, raised: bool) -> Result<(), Error> {
        // Any use is above no memory at all; 0.4 is the default.
        self.control(&["set_vm_memory_high_watermark", if raised { "0" } else { "0.4" }]).await
    }

    /// Makes the server close all connections to it, and tells how many there were.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn close_all_connections(&self) -> Result<usize, Error> {
        self.management.close_connections(None).await
    }

    /// Runs a command of `rabbitmqctl`, which takes a second or two.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub async fn control(&self, arguments: &[&str]) -> Result<(), Error> {
        let script = self.scripts.join("rabbitmqctl");
        let mut process = self.program("rabbitmqctl", &script).arguments(arguments).start()?;
        process.succeeded_by(STOP).await
    }

    /// One of RabbitMQ's programs with all that makes the server a private one.
    fn program(&self, name: &str, command: &Path) -> Program {
        let home = |file: &str| self.home.join(file);
        let port = |port: u16| port.to_string();
        Program::new(name, command, self.folder.path().join(format!("{name}.out")))
            .bare_environment()
            .variable("LANG", "C.UTF-8")
            .variable("HOME", &self.home)
            .variable("ERL_EPMD_ADDRESS", "127.0.0.1")
            .variable("ERL_EPMD_PORT", port(self.ports.port_mapper))
            .variable("RABBITMQ_NODENAME", &self.place.node)
            .variable("RABBITMQ_DIST_PORT", port(self.ports.distribution))
            .variable("RABBITMQ_MNESIA_BASE", home("data"))
            .variable("RABBITMQ_LOG_BASE", home("log"))
            .variable("RABBITMQ_LOGS", home("rabbitmq.log"))
            .variable("RABBITMQ_CONFIG_FILE", home("rabbitmq.conf"))
            .variable("RABBITMQ_CONFIG_FILES", home("conf.d"))
            .variable("RABBITMQ_ADVANCED_CONFIG_FILE", home("advanced.config"))
            .variable("RABBITMQ_CONF_ENV_FILE", home("rabbitmq-env.conf"))
            .variable("RABBITMQ_ENABLED_PLUGINS_FILE", home("plugins"))
            .directory(&self.home)
            .account(self.account.as_ref())
    }
}

/// Where `rabbitmq-server` and `rabbitmqctl` lie.
fn scripts() -> Result<PathBuf, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(PathBuf::from(DEBIAN_SCRIPTS))
        .chain(env::split_paths(&path))
        .find(|folder| folder.join("rabbitmq-server").is_file())
        .ok_or(Error::NotInstalled { program: "RabbitMQ", package: "rabbitmq-server" })
}

/// The address of a vhost on the server at `server`, `amqp://user:password@host:port`, with or without a path.
pub(crate) fn vhost_url(server: &str, vhost: &str) -> String {
    let authority = server.find("://").map_or(0, |at| at + 3);
    let end = server[authority..].find('/').map_or(server.len(), |at| authority + at);
    format!("{}/{}", &server[..end], encoded(vhost))
}
