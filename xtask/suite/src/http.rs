//! HTTP requests to the running services.

use std::time::Duration;

use reqwest::{Body, Client, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Error;

/// The timeout of an ordinary request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A complete response.
#[derive(Debug)]
pub struct Answer {
    url: String,
    pub status: StatusCode,
    body: String,
}

impl Answer {
    /// The answer itself if it is a success, else an error.
    pub fn success(self) -> Result<Self, Error> {
        if self.status.is_success() { Ok(self) } else { Err(self.refused()) }
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        serde_json::from_str(&self.body).map_err(|_| self.refused())
    }

    /// The body as it is.
    pub fn text(self) -> String {
        self.body
    }

    /// The answer as an error.
    pub fn refused(self) -> Error {
        Error::Refused { url: self.url, status: self.status.as_u16(), body: self.body }
    }
}

/// A client for the services of this machine.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
}

impl Http {
    /// A client that ignores the proxies of the environment.
    pub fn new() -> Result<Self, Error> {
        let client = Client::builder().no_proxy().build();
        Ok(Self { client: client.map_err(Error::unreachable("the HTTP client"))? })
    }

    /// A GET request.
    pub async fn get(&self, url: &str) -> Result<Answer, Error> {
        answer(url, self.client.get(url).timeout(TIMEOUT)).await
    }

    /// A GET request with a token.
    pub async fn get_as(&self, url: &str, token: &str) -> Result<Answer, Error> {
        answer(url, self.client.get(url).bearer_auth(token).timeout(TIMEOUT)).await
    }

    /// Any request with a token and a timeout of its own.
    pub async fn send_as(
        &self,
        method: Method,
        url: &str,
        token: &str,
        body: Option<&Value>,
        timeout: Duration,
    ) -> Result<Answer, Error> {
        let request = self.client.request(method, url).bearer_auth(token).timeout(timeout);
        answer(url, if let Some(body) = body { request.json(body) } else { request }).await
    }

    /// A POST request with a body of any length and no timeout.
    pub async fn post_stream(
        &self,
        url: &str,
        token: &str,
        content_type: &str,
        body: Body,
    ) -> Result<Answer, Error> {
        let request = self.client.post(url).bearer_auth(token).header("content-type", content_type);
        answer(url, request.body(body)).await
    }
}

/// Sends a request and reads the whole response.
pub async fn answer(url: &str, request: RequestBuilder) -> Result<Answer, Error> {
    let response = request.send().await.map_err(Error::unreachable(url))?;
    let status = response.status();
    let body = response.text().await.map_err(Error::unreachable(url))?;
    Ok(Answer { url: url.to_owned(), status, body })
}
