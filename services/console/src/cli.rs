//! The command line.

use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use reqwest::Url;
use runtime::{
    auth::SigningKey,
    cli::Healthcheck,
    telemetry::{self, LogFormat},
};

use crate::{
    config::{Config, RequiredDatabase, base_url},
    database, keygen,
    names::SERVICE,
    seed::{self, Progress, Seed, Seeded},
    server,
    staff::StaffCommand,
    token,
};

/// Web front end of the suite: storefront, operations page, and a proxy to every service.
#[derive(Debug, Parser)]
#[command(name = SERVICE.name, version = SERVICE.version)]
pub struct CommandLine {
    /// The format of the log on standard error; `RUST_LOG` selects what is logged.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t, global = true)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until a stop signal arrives.
    Serve(Box<Config>),
    /// Bring the console's database to the newest schema.
    Migrate(RequiredDatabase),
    /// Check that the running console is ready; exits 0 if it is.
    Healthcheck(Healthcheck),
    /// Mint a token and print it.
    Token(token::Request),
    /// Create, reset and list staff accounts.
    Staff(Box<StaffCommand>),
    /// Create missing keys.
    Keygen(Box<keygen::Files>),
    /// Load the sample catalogue into an empty shop.
    Seed(Box<SeedArgs>),
}

#[derive(Debug, clap::Args)]
struct SeedArgs {
    /// File of the private key that signs tokens.
    #[arg(long, env = "TOKEN_KEY_FILE")]
    token_key_file: PathBuf,
    /// Base URL of product-catalog.
    #[arg(long, env = "PRODUCT_CATALOG_URL", default_value = "http://127.0.0.1:8081", value_parser = base_url)]
    product_catalog_url: Url,
    /// Base URL of inventory.
    #[arg(long, env = "INVENTORY_URL", default_value = "http://127.0.0.1:8083", value_parser = base_url)]
    inventory_url: Url,
    /// Base URL of search-sync.
    #[arg(long, env = "SEARCH_SYNC_URL", default_value = "http://127.0.0.1:8084", value_parser = base_url)]
    search_sync_url: Url,
    #[command(flatten)]
    tls: runtime::config::Tls,
    /// The number of products.
    #[arg(long, env = "SEED_COUNT", default_value_t = sample_catalogue::DEFAULT_COUNT)]
    count: usize,
    /// The seed of the random generator.
    #[arg(long, default_value_t = sample_catalogue::DEFAULT_SEED)]
    seed: u64,
    /// Time limit in seconds.
    #[arg(long, env = "SEED_DEADLINE", default_value = "600", value_parser = runtime::config::seconds)]
    deadline: Duration,
}

impl CommandLine {
    /// Parses the arguments; exits with a usage message if they are invalid.
    pub fn read() -> CommandLine {
        let mut command = with_default_address(CommandLine::command());
        match CommandLine::from_arg_matches(&command.get_matches_mut()) {
            Ok(line) => line,
            Err(error) => error.format(&mut command).exit(),
        }
    }

    /// Runs the selected command.
    pub async fn run(self) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
        telemetry::init(self.log_format)?;
        match self.command {
            Command::Serve(config) => return Ok(server::run(*config).await?),
            Command::Migrate(settings) => database::migrate(&settings).await?,
            Command::Healthcheck(healthcheck) => healthcheck.ask().await?,
            Command::Token(request) => print_line(&request.mint()?),
            Command::Staff(command) => {
                command.run().await?.iter().for_each(|line| print_line(line));
            }
            Command::Keygen(files) => keygen::run(&files)?,
            Command::Seed(args) => seed_shop(*args).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Sets the default of `--http-addr` for the commands that have it.
fn with_default_address(command: clap::Command) -> clap::Command {
    ["serve", "healthcheck"].into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |subcommand| {
            subcommand.mut_args(|arg| {
                if arg.get_id() == "http_addr" { arg.default_value(SERVICE.http_addr) } else { arg }
            })
        })
    })
}

async fn seed_shop(args: SeedArgs) -> Result<(), Box<dyn Error + Send + Sync>> {
    let key = SigningKey::read(&args.token_key_file)?;
    let seed = Seed {
        product_catalog: args.product_catalog_url,
        inventory: args.inventory_url,
        search_sync: args.search_sync_url,
        tls: args.tls.client()?,
        count: args.count,
        seed: args.seed,
        deadline: args.deadline,
    };
    let mut last_logged = None;
    let log = |progress| log_progress(progress, &mut last_logged);
    let seeded = seed::run(&seed, &key, log).await?;
    match seeded {
        Seeded::AlreadyThere => tracing::info!("the sample catalogue is already loaded"),
        Seeded::Filled { products, skus } => {
            tracing::info!(products, skus, "sample catalogue loaded");
        }
    }
    Ok(())
}

/// Logs at most one line for each tenth of a step.
fn log_progress(progress: Progress, last_logged: &mut Option<(&'static str, u64)>) {
    let (step, done, total) = match progress {
        Progress::Waiting => ("waiting for the services", 0, 0),
        Progress::Importing { done, total } => ("importing products", done, total),
        Progress::Stocking { done, total } => ("setting stock", done, total),
        Progress::Indexing { done, total } => ("indexing products", done, total),
    };
    let tenth = (step, (done * 10).checked_div(total).unwrap_or_default());
    if *last_logged != Some(tenth) {
        *last_logged = Some(tenth);
        tracing::info!(done, total, "{step}");
    }
}

#[expect(clippy::print_stdout, reason = "tokens and passwords are the output of commands")]
fn print_line(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{CommandLine, with_default_address};

    #[test]
    fn command_line_definition_is_valid() {
        with_default_address(CommandLine::command()).debug_assert();
    }

    #[test]
    fn unknown_scope_is_named_in_the_error() {
        let line = ["console", "token", "--token-key-file", "key", "ops", "root"];
        let error = CommandLine::try_parse_from(line).unwrap_err().to_string();
        assert!(error.contains("root") && error.contains("catalog:write"), "{error}");
    }
}
