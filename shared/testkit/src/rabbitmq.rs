//! A private RabbitMQ.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rabbitmq_management::{ManagementClient, percent_encoded};
use rand::{Rng as _, distr::Alphanumeric};
use serde_json::json;
use tokio::net::TcpStream;

use crate::{
    account::Account,
    data_dir::DataDir,
    error::Error,
    ports::free_port,
    process::{Process, Program},
    tls_files::TlsFiles,
    wait::wait_for,
};

/// Debian's directory of the server's own scripts. The wrappers in `PATH` reject all users but root and `rabbitmq`.
const DEBIAN_SCRIPTS: &str = "/usr/lib/rabbitmq/bin";

/// The node name is part of the data's path, so it must not depend on the ports. It must be unique per port mapper: a single
/// server has its own, and the nodes of a cluster share one and are numbered.
const NODE_NAME: &str = "shop@localhost";

/// Includes recovery of the queues.
const START_TIMEOUT: Duration = Duration::from_mins(2);

/// The server is killed if a shutdown takes longer.
const STOP_TIMEOUT: Duration = Duration::from_mins(1);

/// The tools start an Erlang machine, which took more than a minute on busy processors.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(3);

/// The port mapper has no state to save.
const PORT_MAPPER_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The ports of one server, all on the loopback interface; a restart does not change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RabbitMqPorts {
    pub amqp: u16,
    /// Management API and pages.
    pub management: u16,
    pub prometheus: u16,
    /// Erlang's distribution protocol, which the command line tools use.
    pub distribution: u16,
    /// A private instance of `epmd`, Erlang's port mapper.
    pub port_mapper: u16,
}

impl RabbitMqPorts {
    /// Picks five free ports.
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

/// Where a server keeps its data and which ports it uses.
#[derive(Debug)]
pub struct RabbitMqSettings {
    /// Contains data and logs. Existing data is reused.
    pub data_dir: DataDir,
    /// Free ports if `None`.
    pub ports: Option<RabbitMqPorts>,
    /// Accepts only encrypted connections of AMQP, with these files.
    pub tls: Option<TlsFiles>,
    /// The password of the user `guest`, who may do everything: letters and digits. `guest` if `None`.
    pub administrator_password: Option<String>,
}

impl RabbitMqSettings {
    /// Unencrypted, on free ports, with the administrator `guest`, whose password is `guest`.
    pub fn in_folder(data_dir: DataDir) -> Self {
        Self { data_dir, ports: None, tls: None, administrator_password: None }
    }
}

/// How a node takes part in a cluster.
#[derive(Debug)]
pub(crate) struct NodeSettings {
    pub(crate) name: String,
    /// The node to join at the first start; the first node names itself.
    pub(crate) seed_node: String,
    /// The shared secret of the nodes.
    pub(crate) cookie: String,
    /// The port of the port mapper if another node runs it.
    pub(crate) port_mapper: Option<u16>,
}

/// A private RabbitMQ server with its own port mapper. Both are killed when this value is dropped.
#[derive(Debug)]
pub struct RabbitMq {
    // Fields are dropped in this order: the processes must end before their data directory is removed.
    process: Option<Process>,
    port_mapper: Option<Process>,
    scripts: PathBuf,
    account: Option<Account>,
    home: PathBuf,
    ports: RabbitMqPorts,
    administrator_password: String,
    management: ManagementClient,
    node: NodeSettings,
    tls: Option<TlsFiles>,
    data_dir: DataDir,
}

/// A new shared secret for the nodes of a cluster.
pub(crate) fn random_cookie() -> String {
    rand::rng().sample_iter(Alphanumeric).take(32).map(char::from).collect()
}

impl RabbitMq {
    /// Whether RabbitMQ is installed on this machine.
    pub fn is_installed() -> bool {
        scripts().is_ok()
    }

    /// Starts a server for tests on free ports, with a new data directory [in memory](DataDir::in_memory).
    pub async fn start() -> Result<Self, Error> {
        Self::start_in(DataDir::in_memory("rabbitmq")?).await
    }

    /// Starts a server on free ports.
    pub async fn start_in(data_dir: DataDir) -> Result<Self, Error> {
        Self::start_with(RabbitMqSettings::in_folder(data_dir)).await
    }

    /// Starts a server with the given settings.
    pub async fn start_with(settings: RabbitMqSettings) -> Result<Self, Error> {
        let (name, seed_node) = (NODE_NAME.to_owned(), NODE_NAME.to_owned());
        let node = NodeSettings { name, seed_node, cookie: random_cookie(), port_mapper: None };
        Self::start_node(node, settings).await
    }

    /// Starts a node of a cluster.
    pub(crate) async fn start_node(
        node: NodeSettings,
        settings: RabbitMqSettings,
    ) -> Result<Self, Error> {
        let account = Account::for_server("rabbitmq")?;
        let mut ports = settings.ports.map_or_else(RabbitMqPorts::free, Ok)?;
        ports.port_mapper = node.port_mapper.unwrap_or(ports.port_mapper);
        let password = settings.administrator_password.unwrap_or_else(|| "guest".to_owned());
        let management = ManagementClient::new(&format!(
            "http://guest:{password}@127.0.0.1:{}",
            ports.management
        ))?;
        let mut server = Self {
            process: None,
            port_mapper: None,
            scripts: scripts()?,
            home: settings.data_dir.subdirectory("home", account.as_ref())?,
            account,
            ports,
            administrator_password: password,
            management,
            node,
            tls: settings.tls,
            data_dir: settings.data_dir,
        };
        server.configure()?;
        server.restart().await?;
        Ok(server)
    }

    /// Writes the configuration files.
    fn configure(&self) -> Result<(), Error> {
        let RabbitMqPorts { amqp, management, prometheus, .. } = self.ports;
        let (seed_node, password) = (&self.node.seed_node, &self.administrator_password);
        let listener = match &self.tls {
            Some(tls) => self.tls_listener(tls)?,
            None => format!("listeners.tcp.1 = 127.0.0.1:{amqp}\n"),
        };
        let configuration = format!(
            "{listener}\
             management.tcp.ip = 127.0.0.1\n\
             management.tcp.port = {management}\n\
             prometheus.tcp.ip = 127.0.0.1\n\
             prometheus.tcp.port = {prometheus}\n\
             loopback_users.guest = true\n\
             # Used at the first start only.\n\
             default_pass = {password}\n\
             # The default depends on the memory size and may exceed the free space of a small disk.\n\
             disk_free_limit.absolute = 64MB\n\
             # Keeps the statistics that tests wait for at most half a second old.\n\
             collect_statistics_interval = 500\n\
             cluster_formation.peer_discovery_backend = classic_config\n\
             cluster_formation.classic_config.nodes.1 = {seed_node}\n"
        );
        self.write("rabbitmq.conf", &configuration)?;
        // The same interval for quorum queues and streams, which the file above cannot set.
        self.write("advanced.config", "[{rabbit, [{quorum_tick_interval, 500}]}].\n")?;
        self.write("plugins", "[rabbitmq_management,rabbitmq_prometheus].\n")?;
        // Keeps out the settings of another server on this machine.
        self.write("rabbitmq-env.conf", "")?;
        let cookie = self.home.join(".erlang.cookie");
        if !cookie.exists() {
            self.write(".erlang.cookie", &self.node.cookie)?;
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o400);
            fs::set_permissions(&cookie, private).map_err(Error::file(&cookie))?;
        }
        Ok(())
    }

    /// Copies the files, and returns the configuration of a listener that uses them.
    fn tls_listener(&self, tls: &TlsFiles) -> Result<String, Error> {
        tls.copy_to(&self.home, self.account.as_ref())?;
        let [authority, certificate, key] =
            TlsFiles::NAMES.map(|name| self.home.join(name).display().to_string());
        let required = tls.requires_client_certificates;
        let verify = if required { "verify_peer" } else { "verify_none" };
        Ok(format!(
            "listeners.tcp = none\n\
             listeners.ssl.1 = 127.0.0.1:{}\n\
             ssl_options.cacertfile = {authority}\n\
             ssl_options.certfile = {certificate}\n\
             ssl_options.keyfile = {key}\n\
             ssl_options.verify = {verify}\n\
             ssl_options.fail_if_no_peer_cert = {required}\n\
             ssl_options.versions.1 = tlsv1.3\n\
             ssl_options.versions.2 = tlsv1.2\n",
            self.ports.amqp
        ))
    }

    /// Takes other certificates without a restart. Open connections keep the former ones.
    pub async fn replace_certificates(&self, tls: &TlsFiles) -> Result<(), Error> {
        tls.copy_to(&self.home, self.account.as_ref())?;
        // Otherwise the server reads them again within two minutes.
        self.rabbitmqctl(&["eval", "ssl:clear_pem_cache()."]).await
    }

    fn write(&self, name: &str, contents: &str) -> Result<(), Error> {
        let path = self.home.join(name);
        fs::write(&path, contents).map_err(Error::file(&path))?;
        self.account.as_ref().map_or(Ok(()), |account| account.take_ownership(&path))
    }

    /// Starts the server with the same data and ports, and waits until AMQP and the management API respond. Stops it first
    /// if it is running.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.stop_server().await?;
        self.start_port_mapper().await?;
        let script = self.scripts.join("rabbitmq-server");
        // Under systemd the script replaces itself with the server instead of waiting for it. So the child process is the
        // server itself and receives our signals.
        let program =
            self.program("rabbitmq", &script).variable("RUNNING_UNDER_SYSTEMD", "true").variable(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            );
        let mut process = program.start()?;
        let (port, management) = (self.ports.amqp, self.management.clone());
        // If the server exits, `check_alive` below reports it.
        wait_for("RabbitMQ accepts connections", START_TIMEOUT, async || {
            if !process.is_alive() {
                return Ok(());
            }
            TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| error.to_string())?;
            match management.check().await {
                Ok(()) => Ok(()),
                // The data are older than the password.
                Err(error) if error.is_unauthorized() => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await?;
        process.check_alive()?;
        self.process = Some(process);
        if self.management.check().await.is_err_and(|error| error.is_unauthorized()) {
            self.set_administrator_password().await?;
        }
        Ok(())
    }

    /// Gives the user `guest` the password of the settings. It is not an argument of a command, which all users of the machine
    /// could read.
    async fn set_administrator_password(&self) -> Result<(), Error> {
        let name = "administrator.json";
        let path = self.home.join(name);
        let user = json!({
            "name": "guest",
            "password": self.administrator_password,
            "tags": ["administrator"],
        });
        self.write(name, &json!({"users": [user]}).to_string())?;
        self.rabbitmqctl(&["import_definitions", &path.to_string_lossy()]).await?;
        fs::remove_file(&path).map_err(Error::file(&path))
    }

    /// Starts `epmd` in the foreground as a child process. A server without one starts a daemon that outlives it.
    async fn start_port_mapper(&mut self) -> Result<(), Error> {
        let is_shared = self.node.port_mapper.is_some();
        if is_shared || self.port_mapper.as_ref().is_some_and(Process::is_alive) {
            return Ok(());
        }
        let port = self.ports.port_mapper;
        let mut process = self
            .program("epmd", Path::new("epmd"))
            .arguments(["-port", &port.to_string(), "-address", "127.0.0.1"])
            .start()?;
        wait_for("the port mapper accepts connections", START_TIMEOUT, async || {
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

    /// Kills the server with SIGKILL. The port mapper keeps running, as it does on a real machine.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.running()?.kill().await?;
        self.process = None;
        Ok(())
    }

    /// Shuts the server and its port mapper down. Does nothing if they are not running.
    pub async fn stop(&mut self) -> Result<(), Error> {
        self.stop_server().await?;
        if let Some(mut port_mapper) = self.port_mapper.take() {
            port_mapper.stop(PORT_MAPPER_STOP_TIMEOUT).await?;
        }
        Ok(())
    }

    async fn stop_server(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.stop(STOP_TIMEOUT).await?;
        }
        Ok(())
    }

    /// The process, to pause it, check it or read its log. Fails if it is not running.
    pub fn running(&mut self) -> Result<&mut Process, Error> {
        self.process.as_mut().ok_or_else(|| Error::NotRunning("RabbitMQ".to_owned()))
    }

    pub fn data_dir(&mut self) -> &mut DataDir {
        &mut self.data_dir
    }

    /// The ports; a restart does not change them.
    pub fn ports(&self) -> RabbitMqPorts {
        self.ports
    }

    /// A client of the management API, as user `guest`.
    pub fn management(&self) -> &ManagementClient {
        &self.management
    }

    /// The URL without a vhost, for the user `guest`: `amqp://guest:<password>@127.0.0.1:<port>`, or `amqps`.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "amqps" } else { "amqp" };
        format!("{scheme}://guest:{}@127.0.0.1:{}", self.administrator_password, self.ports.amqp)
    }

    /// The URL of a vhost; the default vhost is `/`.
    pub fn vhost_url(&self, vhost: &str) -> String {
        vhost_url(&self.url(), vhost)
    }

    /// Creates a vhost unless it exists, and returns its URL.
    pub async fn create_vhost(&self, vhost: &str) -> Result<String, Error> {
        self.management.create_vhost(vhost).await?;
        Ok(self.vhost_url(vhost))
    }

    /// Suspends or resumes the process of a quorum queue whose only member is on this node. A suspended queue accepts messages
    /// and confirms none of them, like one without a majority.
    pub async fn set_queue_suspended(
        &self,
        vhost: &str,
        queue: &str,
        suspended: bool,
    ) -> Result<(), Error> {
        let function = if suspended { "suspend" } else { "resume" };
        self.rabbitmqctl(&["eval", &format!("sys:{function}('{vhost}_{queue}').")]).await
    }

    /// Raises or clears the memory alarm. While it is raised, the server blocks publishing connections.
    pub async fn set_memory_alarm(&self, raised: bool) -> Result<(), Error> {
        // Any memory use exceeds a watermark of 0; 0.4 is the default.
        self.rabbitmqctl(&["set_vm_memory_high_watermark", if raised { "0" } else { "0.4" }]).await
    }

    /// Makes the server close all connections, and returns their number.
    pub async fn close_all_connections(&self) -> Result<usize, Error> {
        Ok(self.management.close_connections(None).await?)
    }

    /// Runs `rabbitmqctl`, which takes a second or two.
    pub async fn rabbitmqctl(&self, arguments: &[&str]) -> Result<(), Error> {
        let script = self.scripts.join("rabbitmqctl");
        let mut process = self.program("rabbitmqctl", &script).arguments(arguments).start()?;
        process.wait_for_success(COMMAND_TIMEOUT).await
    }

    /// One of RabbitMQ's programs with the environment of this private server.
    fn program(&self, name: &str, command: &Path) -> Program {
        let home = |file: &str| self.home.join(file);
        let port = |port: u16| port.to_string();
        Program::new(name, command, self.data_dir.path().join(format!("{name}.out")))
            .clean_environment()
            .variable("LANG", "C.UTF-8")
            .variable("HOME", &self.home)
            .variable("ERL_EPMD_ADDRESS", "127.0.0.1")
            .variable("ERL_EPMD_PORT", port(self.ports.port_mapper))
            .variable("RABBITMQ_NODENAME", &self.node.name)
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

/// The directory of `rabbitmq-server` and `rabbitmqctl`.
fn scripts() -> Result<PathBuf, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(PathBuf::from(DEBIAN_SCRIPTS))
        .chain(env::split_paths(&path))
        .find(|folder| folder.join("rabbitmq-server").is_file())
        .ok_or(Error::NotInstalled { program: "RabbitMQ", package: "rabbitmq-server" })
}

/// The URL of a vhost on the server at `server`: `amqp://user:password@host:port`, with or without a path.
pub(crate) fn vhost_url(server: &str, vhost: &str) -> String {
    let authority = server.find("://").map_or(0, |at| at + 3);
    let end = server[authority..].find('/').map_or(server.len(), |at| authority + at);
    format!("{}/{}", &server[..end], percent_encoded(vhost))
}
