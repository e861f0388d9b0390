//! The command line of every service: `serve`, `migrate`, `healthcheck`, `openapi`, `topology`, `reconcile`.

use std::{error::Error, net::SocketAddr, process::ExitCode, time::Duration};

use ::messaging::Topology;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use utoipa::openapi::OpenApi;

use crate::{
    config,
    reconcile::Reconcile,
    service::Service,
    telemetry::{self, LogFormat},
};

/// The longest wait for blocking work at the end of the process.
const RUNTIME_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
/// How long `healthcheck` waits for an answer.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// The result of a command: an exit code, or an error that is logged with its causes.
pub type CommandResult = Result<ExitCode, Box<dyn Error + Send + Sync>>;

/// The commands of a service with the configuration `C`.
#[derive(Debug, Subcommand)]
pub enum Command<C: Args> {
    /// Serve until SIGTERM or SIGINT.
    Serve(C),
    /// Bring the database to the newest schema, declare exchanges and queues, and exit.
    Migrate(config::Servers),
    /// Ask the running service whether it is ready; exit with 0 if it is.
    Healthcheck(Healthcheck),
    /// Print the OpenAPI document.
    Openapi,
    /// Print what the service declares on the broker, as JSON.
    Topology(config::Queues),
    /// After the database went back to an earlier state: list the commits that it has lost, and raise its sequence numbers
    /// behind what subscribers have seen. Run it before the service starts.
    Reconcile(Reconcile),
}

#[derive(Debug, Parser)]
struct CommandLine<C: Args> {
    /// Format of the log on standard error; `RUST_LOG` filters it.
    #[arg(
        long,
        env = "LOG_FORMAT",
        value_name = "LOG_FORMAT",
        value_enum,
        default_value_t,
        global = true
    )]
    log_format: LogFormat,

    #[command(subcommand)]
    command: Command<C>,
}

/// The clap command of `service`: for [`run`], and for tests that call `debug_assert` on it.
pub fn command<C: Args>(service: &Service) -> clap::Command {
    let address = service.http_addr;
    let with_address = |command: clap::Command| {
        command.mut_args(|arg| {
            if arg.get_id() == "http_addr" {
                arg.required(false).default_value(address)
            } else {
                arg
            }
        })
    };
    CommandLine::<C>::command()
        .name(service.name)
        .about(service.about)
        .version(service.version)
        .mut_subcommand("serve", with_address)
        .mut_subcommand("healthcheck", with_address)
}

/// Runs a `main`: parses the command line, starts logging, and runs `handle` on a Tokio runtime.
///
/// An invalid argument ends the process with status 2 and a message that names the flag and the variable.
pub fn run<C, F>(service: &Service, handle: impl FnOnce(Command<C>) -> F) -> ExitCode
where
    C: Args,
    F: Future<Output = CommandResult>,
{
    let mut command = command::<C>(service);
    let parsed = CommandLine::<C>::from_arg_matches(&command.get_matches_mut());
    let CommandLine { log_format, command: chosen } = match parsed {
        Ok(parsed) => parsed,
        Err(error) => error.format(&mut command).exit(),
    };
    if let Err(error) = telemetry::init(log_format) {
        command.error(ErrorKind::InvalidValue, problem::chain(&error)).exit();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => command.error(ErrorKind::Io, problem::chain(&error)).exit(),
    };
    let result = runtime.block_on(handle(chosen));
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN_TIMEOUT);
    result.unwrap_or_else(|error| {
        tracing::error!(error = problem::chain(&*error), "the command failed");
        ExitCode::FAILURE
    })
}

/// Prints an OpenAPI document on standard output.
#[expect(clippy::print_stdout, reason = "printing is what this command is for")]
pub fn print_openapi(document: &OpenApi) -> CommandResult {
    println!("{}", document.to_pretty_json()?);
    Ok(ExitCode::SUCCESS)
}

/// Prints what a service declares on the broker, as JSON on standard output.
#[expect(clippy::print_stdout, reason = "printing is what this command is for")]
pub fn print_topology(topology: &Topology) -> CommandResult {
    println!("{}", serde_json::to_string_pretty(&topology.declarations())?);
    Ok(ExitCode::SUCCESS)
}

/// Checks from outside the process whether a service is ready.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Healthcheck {
    /// Address on which the service listens; for an unspecified address, the loopback address is asked.
    #[arg(id = "http_addr", long = "http-addr", env = "HTTP_ADDR", value_name = "HTTP_ADDR")]
    pub addr: SocketAddr,
}

/// The service is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    #[error("the service cannot be reached")]
    Unreachable(#[source] std::io::Error),
    #[error("the service did not answer within {HEALTHCHECK_TIMEOUT:?}")]
    Silent(#[source] tokio::time::error::Elapsed),
    #[error("the service is not ready: {answer}")]
    Down {
        /// The body of its answer.
        answer: String,
    },
}

impl Healthcheck {
    /// Requests `/health/ready`.
    pub async fn ask(&self) -> Result<(), NotReady> {
        let mut address = self.addr;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let answer = tokio::time::timeout(HEALTHCHECK_TIMEOUT, get_readiness(address))
            .await
            .map_err(NotReady::Silent)?
            .map_err(NotReady::Unreachable)?;
        if answer.starts_with("HTTP/1.1 200 ") {
            return Ok(());
        }
        let body = answer.split_once("\r\n\r\n").map_or(answer.as_str(), |(_, body)| body);
        Err(NotReady::Down { answer: body.to_owned() })
    }
}

/// Returns head and body of the answer, up to 64 KiB.
async fn get_readiness(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
