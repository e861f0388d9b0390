//! Publishes events of a running service again, for a subscriber that has lost them.

use std::time::Duration;

use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Value, json};
use suite::{Error, Http, Keys, State, output};
use xtask::arguments::Republish;

/// Timeout of a call, which works for ten seconds.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Republishes call by call, and prints each report.
pub(crate) async fn run(arguments: &Republish) -> Result<(), Error> {
    let Republish { service, subscriber, since } = arguments;
    let state = State::running()?.ok_or(Error::NotRunning)?;
    let (http, token) = (Http::new()?, Keys::in_suite().token("xtask", &[Scope::Ops])?);
    let url = format!("{}/v1/republish", state.ports.url_of(service));
    let mut body = json!({ "subscriber": subscriber, "since": since });
    loop {
        let answer = http.send_as(Method::POST, &url, &token, Some(&body), TIMEOUT).await?;
        let report: Value = answer.success()?.json()?;
        output::line(report.to_string());
        if report["next"].is_null() {
            return Ok(());
        }
        body["after"] = report["next"].clone();
    }
}
