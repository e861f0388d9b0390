//! Calls to the running services.

use std::time::Duration;

use reqwest::{Body, Client, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::Failure;

/// How long an ordinary call may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a service answered.
#[derive(Debug)]
pub(crate) struct Answer {
    url: String,
    pub(crate) status: StatusCode,
    body: String,
}

impl Answer {
    /// Itself, if it is a success.
    pub(crate) fn success(self) -> Result<Self, Failure> {
        if self.status.is_success() { Ok(self) } else { Err(self.refused()) }
    }

    /// What it says, as JSON.
    pub(crate) fn json<T: DeserializeOwned>(self) -> Result<T, Failure> {
        serde_json::from_str(&self.body).map_err(|_| self.refused())
    }

    /// What it says, as it came.
    pub(crate) fn text(self) -> String {
        self.body
    }

    /// It as an error.
    pub(crate) fn refused(self) -> Failure {
        Failure::Refused { url: self.url, status: self.status.as_u16(), body: self.body }
    }
}

/// A client for the services of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
}

impl Http {
    /// A client that no proxy of the environment comes between.
    pub(crate) fn new() -> Result<Self, Failure> {
        let client = Client::builder().no_proxy().build();
        Ok(Self { client: client.map_err(Failure::unreachable("the HTTP client"))? })
    }

    /// Reads.
    pub(crate) async fn get(&self, url: &str) -> Result<Answer, Failure> {
        answer(url, self.client.get(url).timeout(DEADLINE)).await
    }

    /// Reads what needs a token.
    pub(crate) async fn get_as(&self, url: &str, token: &str) -> Result<Answer, Failure> {
        answer(url, self.client.get(url).bearer_auth(token).timeout(DEADLINE)).await
    }

    /// Asks for something that needs a token, and may take so long.
    pub(crate) async fn send_as(
        &self,
        method: Method,
        url: &str,
        token: &str,
        body: Option<&Value>,
        deadline: Duration,
    ) -> Result<Answer, Failure> {
        let request = self.client.request(method, url).bearer_auth(token).timeout(deadline);
        answer(url, if let Some(body) = body { request.json(body) } else { request }).await
    }

    /// Sends a body of any length, which may take its time.
    pub(crate) async fn post_stream(
        &self,
        url: &str,
        token: &str,
        content_type: &str,
        body: Body,
    ) -> Result<Answer, Failure> {
        let request = self.client.post(url).bearer_auth(token).header("content-type", content_type);
        answer(url, request.body(body)).await
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn answer(url: &str, request: RequestBuilder) -> Result<Answer, Failure> {
    let response = request.send().await.map_err(Failure::unreachable(url))?;
    let status = response.status();
    let body = response.text().await.map_err(Failure::unreachable(url))?;
    Ok(Answer { url: url.to_owned(), status, body })
}
