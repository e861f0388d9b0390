//! Calls that work for a limited time and answer where the next one continues.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value};
use suite::{Error, Http, output};

/// Sends the body until an answer has no `next`, each time with the `next` of the previous answer as `after`. Prints each
/// answer.
pub(super) async fn call_to_the_end(
    http: &Http,
    url: &str,
    token: &str,
    mut body: Map<String, Value>,
    timeout: Duration,
) -> Result<(), Error> {
    loop {
        let request = Value::Object(body.clone());
        let answer = http.send_as(Method::POST, url, token, Some(&request), timeout).await?;
        let done: Value = answer.success()?.json()?;
        output::line(done.to_string());
        if done["next"].is_null() {
            return Ok(());
        }
        body.insert("after".to_owned(), done["next"].clone());
    }
}
