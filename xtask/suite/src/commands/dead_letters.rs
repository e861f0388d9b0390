//! The dead letters of the running suite, through the routes of its services.

use std::{fmt::Display, fs, time::Duration};

use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Map, Value, json};
use suite::{Error, Http, Keys, State, output};
use testkit::percent_encoded;
use xtask::arguments::{
    DeadLetterAction, DeadLetterFilter, DeadLetterSelection, DeadLetters as Arguments,
};

use super::continued::call_to_the_end;

/// Timeout of a request, a little longer than the service's own: it answers when its current batch is
/// finished.
const TIMEOUT: Duration = Duration::from_secs(130);

/// Executes the action and prints the answer of the service.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Error> {
    let state = State::running()?.ok_or(Error::NotRunning)?;
    let dead_letters = DeadLetters {
        http: Http::new()?,
        token: Keys::in_suite().token("xtask", &[Scope::Ops])?,
        base: format!("{}/v1/dead-letters", state.ports.url_of(&arguments.service)),
    };
    match arguments.action {
        DeadLetterAction::List { filter, all, limit, after } => {
            let mut query = vec![format!("all={all}"), format!("limit={limit}")];
            query.extend(after.map(|after| format!("after={after}")));
            query.extend(
                filter_fields(filter)
                    .map(|(name, value)| format!("{name}={}", percent_encoded(&value))),
            );
            dead_letters.call(Method::GET, &format!("?{}", query.join("&")), None).await
        }
        DeadLetterAction::Groups => dead_letters.call(Method::GET, "/groups", None).await,
        DeadLetterAction::Show { id } => {
            dead_letters.call(Method::GET, &format!("/{id}"), None).await
        }
        DeadLetterAction::Edit { id, file } => {
            let text = fs::read_to_string(&file).map_err(Error::file(&file))?;
            let data = serde_json::from_str(&text)
                .map_err(|source| Error::Content { path: file, source })?;
            dead_letters.call(Method::PUT, &format!("/{id}/data"), Some(&data)).await
        }
        DeadLetterAction::DryRun { id } => {
            dead_letters.call(Method::POST, &format!("/{id}/dry-run"), None).await
        }
        DeadLetterAction::DeclareLost { id, reason } => {
            dead_letters.declare_lost(id, &reason).await
        }
        DeadLetterAction::Redrive(selection) => dead_letters.resolve("redrive", selection).await,
        DeadLetterAction::Discard(selection) => dead_letters.resolve("discard", selection).await,
    }
}

/// The dead letters of one service.
struct DeadLetters {
    http: Http,
    token: String,
    base: String,
}

impl DeadLetters {
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(), Error> {
        let url = format!("{}{path}", self.base);
        let answer =
            self.http.send_as(method, &url, &self.token, body, TIMEOUT).await?.success()?;
        let text = answer.text();
        match serde_json::from_str::<Value>(&text) {
            Ok(value) => output::line(format!("{value:#}")),
            Err(_) => output::line(if text.is_empty() { "Done." } else { &text }),
        }
        Ok(())
    }

    /// Declares the events lost that are missing now.
    async fn declare_lost(&self, id: impl Display, reason: &str) -> Result<(), Error> {
        let url = format!("{}/{id}", self.base);
        let shown = self.http.send_as(Method::GET, &url, &self.token, None, TIMEOUT).await?;
        let shown: Value = shown.success()?.json()?;
        // If none is missing, the service answers so.
        let number = |name: &str| shown["missing"][name].as_i64().unwrap_or_default();
        let lost = json!({"first": number("first"), "last": number("last"), "reason": reason});
        self.call(Method::POST, &format!("/{id}/declare-lost"), Some(&lost)).await
    }

    /// Redrives or discards the selected ones, page by page.
    async fn resolve(
        &self,
        verb: &str,
        DeadLetterSelection { id, filter, per_second }: DeadLetterSelection,
    ) -> Result<(), Error> {
        if let Some(id) = id {
            return self.call(Method::POST, &format!("/{id}/{verb}"), None).await;
        }
        let url = format!("{}/{verb}", self.base);
        let fields = filter_fields(filter).map(|(name, value)| (name.to_owned(), value.into()));
        let mut body: Map<String, Value> = fields.collect();
        body.insert("per_second".to_owned(), per_second.into());
        call_to_the_end(&self.http, &url, &self.token, body, TIMEOUT).await
    }
}

/// The filter as query parameters or fields of a body.
fn filter_fields(filter: DeadLetterFilter) -> impl Iterator<Item = (&'static str, String)> {
    let DeadLetterFilter { consumer, reason, kind, cause } = filter;
    let fields = [("consumer", consumer), ("reason", reason), ("kind", kind), ("cause", cause)];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?)))
}
