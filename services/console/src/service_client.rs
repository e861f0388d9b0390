//! Requests of the console itself to the services.

use std::time::Duration;

use axum::http::{HeaderValue, header::AUTHORIZATION};
use futures::future::join_all;
use reqwest::{Response, Url};
use serde::de::DeserializeOwned;

use crate::config::{Services, join_path};

/// Asks all services for the same thing. Clones share connections.
#[derive(Clone)]
pub(crate) struct ServiceClient {
    services: Services,
    client: reqwest::Client,
}

impl ServiceClient {
    pub(crate) fn new(services: Services, client: reqwest::Client) -> ServiceClient {
        ServiceClient { services, client }
    }

    /// Sends `GET path?query` to every service at once. A service without a usable answer within `timeout` has `None`.
    pub(crate) async fn get_json_from_all<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Option<&str>,
        token: Option<&HeaderValue>,
        timeout: Duration,
    ) -> Vec<(&'static str, Option<T>)> {
        let requests = self.services.each().map(async |(name, base)| {
            let mut url = join_path(base, path);
            url.set_query(query);
            (name, self.get_json(name, url, token, timeout).await)
        });
        join_all(requests).await
    }

    async fn get_json<T: DeserializeOwned>(
        &self,
        name: &str,
        url: Url,
        token: Option<&HeaderValue>,
        timeout: Duration,
    ) -> Option<T> {
        let path = url.path().to_owned();
        let mut request = self.client.get(url).timeout(timeout);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        let response = async { request.send().await?.error_for_status()?.json().await }.await;
        response
            .inspect_err(|error: &reqwest::Error| {
                let error = problem::chain(error);
                tracing::debug!(service = name, path, error, "no usable response from a service");
            })
            .ok()
    }

    /// Sends `GET path` to every service at once.
    pub(crate) async fn get_from_all(
        &self,
        path: &str,
        timeout: Duration,
    ) -> Vec<(&'static str, reqwest::Result<Response>)> {
        let requests = self.services.each().map(async |(name, base)| {
            (name, self.client.get(join_path(base, path)).timeout(timeout).send().await)
        });
        join_all(requests).await
    }
}
