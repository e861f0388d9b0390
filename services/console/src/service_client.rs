//! Requests of the console itself to the services.

use std::time::Duration;

use axum::http::{HeaderValue, Request, StatusCode, header::AUTHORIZATION};
use bytes::Bytes;
use futures::future::join_all;
use http_body_util::{BodyExt as _, Empty};
use reqwest::Url;
use serde::de::DeserializeOwned;
use tls::http::{HttpClient, HttpError};
use tokio::time::timeout;

use crate::config::{Services, join_path};

/// Asks all services for the same thing. Clones share connections.
#[derive(Clone)]
pub(crate) struct ServiceClient {
    services: Services,
    client: HttpClient,
}

/// Why there is no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("the answer has the status {0}")]
    Status(StatusCode),
    #[error("the answer cannot be decoded")]
    Decode(#[from] serde_json::Error),
}

impl ServiceClient {
    pub(crate) fn new(services: Services, client: HttpClient) -> ServiceClient {
        ServiceClient { services, client }
    }

    /// Sends `GET path?query` to every service at once. A service without a usable answer within `limit` has `None`.
    pub(crate) async fn get_json_from_all<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Option<&str>,
        token: Option<&HeaderValue>,
        limit: Duration,
    ) -> Vec<(&'static str, Option<T>)> {
        let requests = self.services.each().map(async |(name, base)| {
            let mut url = join_path(base, path);
            url.set_query(query);
            (name, self.get_json(name, url, token, limit).await)
        });
        join_all(requests).await
    }

    async fn get_json<T: DeserializeOwned>(
        &self,
        name: &str,
        url: Url,
        token: Option<&HeaderValue>,
        limit: Duration,
    ) -> Option<T> {
        let answer = self.get(&url, token, limit).await;
        let decoded = answer.and_then(|(status, body)| {
            if !status.is_success() {
                return Err(ServiceError::Status(status));
            }
            Ok(serde_json::from_slice(&body)?)
        });
        decoded
            .inspect_err(|error| {
                let (path, error) = (url.path(), problem::chain(error));
                tracing::debug!(service = name, path, error, "no usable response from a service");
            })
            .ok()
    }

    /// Sends `GET path` to every service at once. Returns the status and the body of each answer.
    pub(crate) async fn get_from_all(
        &self,
        path: &str,
        limit: Duration,
    ) -> Vec<(&'static str, Result<(StatusCode, Bytes), ServiceError>)> {
        let requests = self
            .services
            .each()
            .map(async |(name, base)| (name, self.get(&join_path(base, path), None, limit).await));
        join_all(requests).await
    }

    async fn get(
        &self,
        url: &Url,
        token: Option<&HeaderValue>,
        limit: Duration,
    ) -> Result<(StatusCode, Bytes), ServiceError> {
        let mut request = Request::get(url.as_str());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Empty::new()).map_err(HttpError::from)?;
        let answer = async {
            let answer = self.client.send(request).await?;
            let status = answer.status();
            Ok((status, answer.into_body().collect().await?.to_bytes()))
        };
        timeout(limit, answer).await.unwrap_or(Err(HttpError::TimedOut(limit).into()))
    }
}
