//! Publishes events of a running service again, for a subscriber that has lost them.

use std::time::Duration;

use runtime::auth::Scope;
use suite::{Error, Http, Keys, State};
use xtask::arguments::Republish;

use super::continued::call_to_the_end;

/// Timeout of a call, which works for ten seconds.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Republishes call by call, and prints each report.
pub(crate) async fn run(arguments: &Republish) -> Result<(), Error> {
    let Republish { service, subscriber, since } = arguments;
    let state = State::running()?.ok_or(Error::NotRunning)?;
    let (http, token) = (Http::new()?, Keys::in_suite().token("xtask", &[Scope::Ops])?);
    let url = format!("{}/v1/republish", state.ports.url_of(service));
    let fields = [("subscriber", subscriber), ("since", since)];
    let body = fields.map(|(name, value)| (name.to_owned(), value.as_str().into()));
    call_to_the_end(&http, &url, &token, body.into_iter().collect(), TIMEOUT).await
}
