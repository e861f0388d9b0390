//! The process of the product catalogue.

use std::process::ExitCode;

use product_catalog::{Config, SERVICE, app, migrators, topology};
use runtime::cli::{self, Command};
use runtime::{http, messaging};

fn main() -> ExitCode {
    cli::run(&SERVICE, async |command: Command<Config>| match command {
        Command::Serve(config) => Ok(app::run(config).await?),
        Command::Migrate(config) => {
            messaging::migrate(&SERVICE, &config, &migrators(), &topology()).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Healthcheck(question) => {
            question.ask().await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi => cli::print_openapi(&http::document(&SERVICE, app::routes())),
    })
}
