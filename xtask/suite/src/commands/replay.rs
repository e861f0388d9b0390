//! Rebuilds a projection of a running service.

use std::time::Duration;

use reqwest::Method;
use runtime::auth::Scope;
use serde_json::Value;
use suite::{Error, Http, Keys, State, output};
use xtask::arguments::Replay;

/// Timeout of a replay.
const TIMEOUT: Duration = Duration::from_mins(30);

/// Replays, and prints the report of the service.
pub(crate) async fn run(arguments: &Replay) -> Result<(), Error> {
    let Replay { service, projection, compare_only } = arguments;
    let state = State::running()?.ok_or(Error::NotRunning)?;
    let token = Keys::in_suite().token("replay", &[Scope::Ops])?;
    let base = state.ports.url_of(service);
    let url = format!("{base}/v1/replays/{projection}?compare_only={compare_only}");
    let answer =
        Http::new()?.send_as(Method::POST, &url, &token, None, TIMEOUT).await?.success()?;
    let report: Value = answer.json()?;
    output::line(format!("{report:#}"));
    Ok(())
}
