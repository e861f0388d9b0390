//! `console serve | migrate | healthcheck | token | staff | keygen | seed`

use std::process::ExitCode;

use console::cli::CommandLine;

#[tokio::main]
async fn main() -> ExitCode {
    match CommandLine::read().run().await {
        Ok(code) => code,
        Err(error) => {
            tracing::error!(error = problem::chain(&*error), "command failed");
            ExitCode::FAILURE
        }
    }
}
