//! The command line.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use reqwest::Url;
use runtime::auth::SigningKey;
use runtime::cli::Healthcheck;
use runtime::telemetry::{self, LogFormat};

use crate::config::{Config, base_url};
use crate::seed::{Progress, Seed, Seeded};
use crate::{SERVICE, app, keygen, seed, token};

/// The face of the suite: the shop, the live operations page, and the proxy to every service.
#[derive(Debug, Parser)]
#[command(name = SERVICE.name, version = SERVICE.version)]
pub struct CommandLine {
    /// How the log on standard error is written; what is logged, `RUST_LOG` says.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t, global = true)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to stop.
    Serve(Box<Config>),
    /// Ask the running console whether it is there; exits 0 if it is.
    Healthcheck(Healthcheck),
    /// Make a token and print it.
    Token(token::Request),
    /// Make the keys that are missing.
    Keygen(keygen::Files),
    /// Fill an empty shop with the sample catalogue.
    Seed(Box<SeedArgs>),
}

#[derive(Debug, clap::Args)]
struct SeedArgs {
    /// File of the private key that signs tokens.
    #[arg(long, env = "TOKEN_KEY_FILE")]
    token_key_file: PathBuf,
    /// Address of product-catalog.
    #[arg(long, env = "PRODUCT_CATALOG_URL", default_value = "http://127.0.0.1:8081", value_parser = base_url)]
    product_catalog_url: Url,
    /// Address of inventory.
    #[arg(long, env = "INVENTORY_URL", default_value = "http://127.0.0.1:8083", value_parser = base_url)]
    inventory_url: Url,
    /// Address of search-sync.
    #[arg(long, env = "SEARCH_SYNC_URL", default_value = "http://127.0.0.1:8084", value_parser = base_url)]
    search_sync_url: Url,
    /// How many products.
    #[arg(long, env = "SEED_COUNT", default_value_t = sample_catalogue::DEFAULT_COUNT)]
    count: usize,
    /// The seed of the generator.
    #[arg(long, default_value_t = sample_catalogue::DEFAULT_SEED)]
    seed: u64,
    /// Seconds that all of it may take.
    #[arg(long, env = "SEED_DEADLINE", default_value = "600", value_parser = runtime::config::seconds)]
    deadline: Duration,
}

impl CommandLine {
    /// Reads the arguments; ends the process with an explanation where they cannot be understood.
    pub fn read() -> CommandLine {
        let mut command = with_address(CommandLine::command());
        match CommandLine::from_arg_matches(&command.get_matches_mut()) {
            Ok(line) => line,
            Err(error) => error.format(&mut command).exit(),
        }
    }

    /// Does what the arguments say.
    pub async fn run(self) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
        telemetry::init(self.log_format)?;
        match self.command {
            Command::Serve(config) => return Ok(app::run(*config).await?),
            Command::Healthcheck(healthcheck) => healthcheck.ask().await?,
            Command::Token(request) => print(&request.mint()?),
            Command::Keygen(files) => keygen::run(&files)?,
            Command::Seed(args) => fill(*args).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Puts the console's own address where none is given.
fn with_address(command: clap::Command) -> clap::Command {
    ["serve", "healthcheck"].into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |subcommand| {
            subcommand.mut_args(|arg| {
                if arg.get_id() == "http_addr" { arg.default_value(SERVICE.http_addr) } else { arg }
            })
        })
    })
}

async fn fill(args: SeedArgs) -> Result<(), Box<dyn Error + Send + Sync>> {
    let key = SigningKey::read(&args.token_key_file)?;
    let what = Seed {
        product_catalog: args.product_catalog_url,
        inventory: args.inventory_url,
        search_sync: args.search_sync_url,
        count: args.count,
        seed: args.seed,
        deadline: args.deadline,
    };
    let mut told = None;
    let seeded = seed::run(&what, &key, |progress| tell(progress, &mut told)).await?;
    match seeded {
        Seeded::AlreadyThere => tracing::info!("the catalogue has products already"),
        Seeded::Filled { products, skus } => tracing::info!(products, skus, "the shop is filled"),
    }
    Ok(())
}

/// One line of the log for each tenth of each step.
fn tell(progress: Progress, told: &mut Option<(&'static str, u64)>) {
    let (step, done, total) = match progress {
        Progress::Waiting => ("waiting for the catalogue", 0, 0),
        Progress::Importing { done, total } => ("importing products", done, total),
        Progress::Stocking { done, total } => ("stocking SKUs", done, total),
        Progress::Indexing { done, total } => ("indexing products", done, total),
    };
    let tenth = (step, (done * 10).checked_div(total).unwrap_or_default());
    if *told != Some(tenth) {
        *told = Some(tenth);
        tracing::info!(done, total, "{step}");
    }
}

#[expect(clippy::print_stdout, reason = "printing is what this command is for")]
fn print(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{CommandLine, with_address};

    #[test]
    fn the_command_line_is_sound() {
        with_address(CommandLine::command()).debug_assert();
    }

    #[test]
    fn an_unknown_scope_is_refused_by_name() {
        let line = ["console", "token", "--token-key-file", "key", "ops", "root"];
        let error = CommandLine::try_parse_from(line).unwrap_err().to_string();
        assert!(error.contains("root") && error.contains("catalog:write"), "{error}");
    }
}
