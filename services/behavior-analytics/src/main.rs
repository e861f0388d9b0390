//! The process of the behaviour analytics.

use std::process::ExitCode;

use behavior_analytics::{SERVICE, app, config::Config, http, migrators, topology};
use runtime::cli::{self, Command};

fn main() -> ExitCode {
    cli::run(&SERVICE, async |command: Command<Config>| match command {
        Command::Serve(config) => Ok(app::run(config).await?),
        Command::Migrate(config) => {
            runtime::messaging::migrate(&SERVICE, &config, &migrators(), &topology()).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Healthcheck(question) => {
            question.ask().await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi => cli::print_openapi(&runtime::http::document(&SERVICE, http::routes())),
    })
}
