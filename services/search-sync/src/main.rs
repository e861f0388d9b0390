//! The process of the search index.

use std::process::ExitCode;

use runtime::{
    cli::{self, Command},
    messaging,
};
use search_sync::{SERVICE, app, config::Config, http, migrators, topology};

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
