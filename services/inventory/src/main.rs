//! The process of the inventory.

use std::process::ExitCode;

use inventory::{SERVICE, app, config::Config, http, migrators, topology};
use runtime::{
    cli::{self, Command},
    messaging,
};

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
        Command::Openapi => cli::print_openapi(&runtime::http::document(&SERVICE, http::routes())),
    })
}
