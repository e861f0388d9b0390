//! The smallest whole service, for the tests of this crate: what they start, signal and wait for.

use std::{process::ExitCode, time::Duration};

use messaging::Topology;
use problem::{Json, Path};
use runtime::{
    Lifecycle, Service,
    cli::{self, Command, CommandResult},
    config, database,
    health::Health,
    http,
};
use utoipa_axum::{router::OpenApiRouter, routes};

const SERVICE: Service = Service {
    name: "greeter",
    about: "Greets.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "127.0.0.1:8099",
};

/// The configuration of the greeter.
#[derive(Debug, Clone, clap::Args)]
struct Config {
    #[command(flatten)]
    database: config::Database,
    #[command(flatten)]
    http: config::Http,
    #[command(flatten)]
    shutdown: config::Shutdown,

    /// How its only task ends.
    #[arg(long, env = "ENDING", value_name = "ENDING", value_enum, default_value_t)]
    ending: Ending,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Ending {
    /// At the soft stop.
    #[default]
    Soft,
    /// At once, with an error.
    Error,
    /// At once, with a panic.
    Panic,
    /// Never; the hard stop drops it.
    Never,
    /// Never; it blocks its thread.
    Blocked,
}

#[derive(Debug, thiserror::Error)]
#[error("the greeting failed")]
struct GreetingFailed(#[source] std::num::ParseIntError);

fn main() -> ExitCode {
    cli::run(&SERVICE, async |command: Command<Config>| match command {
        Command::Serve(config) => serve(config).await,
        Command::Migrate(config) => {
            database::migrate(&SERVICE, &config.database, &[]).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Healthcheck(question) => {
            question.ask().await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi => cli::print_openapi(&http::document(&SERVICE, routes())),
        Command::Topology(_) => cli::print_topology(&Topology::new(SERVICE.name)),
        // It publishes nothing.
        Command::Reconcile(_) => Ok(ExitCode::SUCCESS),
    })
}

async fn serve(config: Config) -> CommandResult {
    let lifecycle = Lifecycle::new(config.shutdown.timeout);
    let health = Health::new(&lifecycle);
    let pool = database::connect(&SERVICE, &config.database).await?;
    database::watch(&lifecycle, &health, pool);
    let router = http::router(&SERVICE, routes(), &health, &lifecycle, &config.http, None);
    let tls = config::Tls::default();
    http::serve_with_tls(&lifecycle, &config.http, &tls, &health, router).await?;
    let stopping = lifecycle.soft();
    lifecycle
        .spawn("greeting", async move { end(config.ending, stopping.cancelled_owned()).await });
    Ok(lifecycle.run_until_shutdown().await)
}

#[expect(clippy::panic, reason = "a test needs a panicking task")]
async fn end(ending: Ending, stopping: impl Future<Output = ()>) -> Result<(), GreetingFailed> {
    match ending {
        Ending::Soft => stopping.await,
        Ending::Error => return "x".parse::<u8>().map(|_| ()).map_err(GreetingFailed),
        Ending::Panic => panic!("too loud"),
        Ending::Never => std::future::pending().await,
        Ending::Blocked => {
            stopping.await;
            // Never returns to the runtime.
            loop {
                std::thread::park();
            }
        }
    }
    Ok(())
}

fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(greet))
}

/// Greets after a while.
#[utoipa::path(get, path = "/v1/greetings/{wait_ms}", params(("wait_ms" = u64, Path)),
               responses((status = 200, body = String)))]
async fn greet(Path(wait_ms): Path<u64>) -> Json<&'static str> {
    tokio::time::sleep(Duration::from_millis(wait_ms.min(10_000))).await;
    Json("hello")
}
