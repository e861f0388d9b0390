//! Builds a projection of a running service again.

use std::time::Duration;

use reqwest::Method;
use runtime::auth::Scope;
use serde_json::Value;

use crate::failure::Failure;
use crate::say;
use crate::suite::{Http, Keys, SERVICES, State};

/// How long a replay may take.
const DEADLINE: Duration = Duration::from_mins(30);

/// What to build again.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The service that has the projection.
    #[arg(value_parser = SERVICES.map(|service| service.name))]
    service: String,

    /// The projection, such as `user_events` of behavior-analytics.
    projection: String,

    /// Show what differs, and leave it as it is.
    #[arg(long)]
    compare_only: bool,
}

/// Replays, and prints what the service says of it.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { service, projection, compare_only } = arguments;
    let state = State::running()?.ok_or(Failure::NotRunning)?;
    let token = Keys::in_suite().token("replay", &[Scope::Ops])?;
    let base = state.ports.url_of(service);
    let url = format!("{base}/v1/replays/{projection}?compare_only={compare_only}");
    let answer =
        Http::new()?.send_as(Method::POST, &url, &token, None, DEADLINE).await?.success()?;
    let report: Value = answer.json()?;
    say::line(format!("{report:#}"));
    Ok(())
}
