//! The command line that every service has: `serve`, `migrate`, `healthcheck`, `openapi`.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use utoipa::openapi::OpenApi;

use crate::telemetry::{self, LogFormat};
use crate::{Service, config};

/// How long blocking work may hold up the end of the process.
const RUNTIME_STOP: Duration = Duration::from_secs(1);
/// How long `healthcheck` waits for an answer.
const HEALTHCHECK: Duration = Duration::from_secs(3);

/// What a command comes to: the exit code, or an error that is logged with all its causes.
pub type Outcome = Result<ExitCode, Box<dyn Error + Send + Sync>>;

/// What a service can be told to do; `C` is its configuration.
#[derive(Debug, Subcommand)]
pub enum Command<C: Args> {
    /// Serve until told to stop.
    Serve(C),
    /// Bring the database to the newest schema, declare exchanges and queues, and exit.
    Migrate(config::Servers),
    /// Ask the running service whether it is ready; exits 0 if it is.
    Healthcheck(Healthcheck),
    /// Print the OpenAPI document.
    Openapi,
}

#[derive(Debug, Parser)]
struct CommandLine<C: Args> {
    /// How the log on standard error is written; what is logged, `RUST_LOG` says.
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

/// The command line of `service` as clap knows it: for [`run`], and for a test that calls `debug_assert` on it.
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

/// The whole of a `main`: reads the command line, begins logging, and runs `handle` on the runtime.
///
/// Arguments that cannot be understood end the process with status 2 and a message that names flag and variable.
pub fn run<C, F>(service: &Service, handle: impl FnOnce(Command<C>) -> F) -> ExitCode
where
    C: Args,
    F: Future<Output = Outcome>,
{
    let mut command = command::<C>(service);
    let parsed = CommandLine::<C>::from_arg_matches(&command.get_matches_mut());
    let CommandLine { log_format, command: told } = match parsed {
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
    let outcome = runtime.block_on(handle(told));
    runtime.shutdown_timeout(RUNTIME_STOP);
    outcome.unwrap_or_else(|error| {
        tracing::error!(error = problem::chain(&*error), "failed");
        ExitCode::FAILURE
    })
}

/// Prints a document on standard output.
#[expect(clippy::print_stdout, reason = "printing is what this command is for")]
pub fn print_openapi(document: &OpenApi) -> Outcome {
    println!("{}", document.to_pretty_json()?);
    Ok(ExitCode::SUCCESS)
}

/// The question whether a service is ready, asked from outside its process.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Healthcheck {
    /// Address that the service listens on; if that is every address, this machine is asked.
    #[arg(id = "http_addr", long = "http-addr", env = "HTTP_ADDR", value_name = "HTTP_ADDR")]
    pub addr: SocketAddr,
}

/// Why a service is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// It cannot be reached.
    #[error("the service cannot be reached")]
    Unreachable(#[source] std::io::Error),
    /// It does not answer.
    #[error("the service did not answer within {HEALTHCHECK:?}")]
    Silent(#[source] tokio::time::error::Elapsed),
    /// It says so itself.
    #[error("the service is not ready: {answer}")]
    Down {
        /// What it says.
        answer: String,
    },
}

impl Healthcheck {
    /// Asks `/health/ready`.
    pub async fn ask(&self) -> Result<(), NotReady> {
        let mut address = self.addr;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let answer = tokio::time::timeout(HEALTHCHECK, get_readiness(address))
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

/// The whole answer, head and body, up to 64 KiB of it.
async fn get_readiness(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
