//! The HTTP client of webhooks. It calls addresses that the rule allows, follows no redirects, and reads little of what
//! an endpoint answers.

use std::{
    error::Error,
    str::FromStr as _,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use runtime::clock;
use tokio::time::timeout;
use vocabulary::WebhookMessageId;

use super::https_client::{AddressNotAllowed, HttpsClient, https_client};
use crate::{
    domain::webhooks::{
        AddressRule, Attempt, AttemptError, AttemptResult, EndpointKeys, EndpointUrl, sign,
    },
    names::SERVICE,
};

/// How long and how far the body of an answer is read, so that its connection can be used again.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_BODY: usize = 4_096;

/// The idle connections to an endpoint.
const MAX_IDLE: usize = 8;

/// The maximum length of the cause of a failure, in characters.
const MAX_CAUSE: usize = 200;

/// Clones share the same connections.
#[derive(Debug, Clone)]
pub(crate) struct WebhookClient {
    client: HttpsClient,
    rule: AddressRule,
    /// The limit for an attempt, up to the head of the answer.
    timeout: Duration,
}

/// A message to an endpoint.
#[derive(Debug)]
pub(crate) struct WebhookRequest<'a> {
    pub(crate) url: &'a EndpointUrl,
    pub(crate) keys: &'a EndpointKeys,
    pub(crate) id: WebhookMessageId,
    pub(crate) body: Bytes,
}

impl WebhookClient {
    pub(crate) fn new(rule: AddressRule, timeout: Duration) -> Self {
        let client = https_client(rule, timeout, MAX_IDLE);
        Self { client, rule, timeout }
    }

    pub(crate) const fn rule(&self) -> AddressRule {
        self.rule
    }

    /// Sends a message once. It returns within the timeout and a second.
    pub(crate) async fn send(&self, request: WebhookRequest<'_>) -> Attempt {
        let (at, began) = (clock::now(), Instant::now());
        let answer = match self.request(&request) {
            Ok(request) => timeout(self.timeout, self.client.request(request)).await,
            Err(error) => {
                let result = AttemptResult::Failed(error);
                return Attempt { at, duration: began.elapsed(), result };
            }
        };
        let duration = began.elapsed();
        let result = match answer {
            Err(_) => AttemptResult::Failed(AttemptError::Timeout),
            Ok(Err(error)) => AttemptResult::Failed(failure(&error)),
            Ok(Ok(answer)) => {
                let status = answer.status().as_u16();
                // The status has decided; a body that is long or slow costs its connection.
                let body = Limited::new(answer.into_body(), MAX_BODY);
                let _ = timeout(BODY_TIMEOUT, body.collect()).await;
                AttemptResult::of_status(status)
            }
        };
        Attempt { at, duration, result }
    }

    fn request(&self, request: &WebhookRequest<'_>) -> Result<Request<Full<Bytes>>, AttemptError> {
        let WebhookRequest { url, keys, id, body } = request;
        // The rule may have changed since the endpoint was created. The connector does not resolve an address.
        url.check(self.rule).map_err(|_| AttemptError::AddressNotAllowed)?;
        let now = clock::now();
        let signature = sign(&keys.at(now), *id, now.timestamp(), body);
        let invalid = |error: http::Error| AttemptError::NoAnswer(error.to_string());
        let uri = Uri::from_str(url.as_str()).map_err(|error| invalid(error.into()))?;
        Request::post(uri)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(header::USER_AGENT, format!("shop-{}/{}", SERVICE.name, SERVICE.version))
            .header("webhook-id", id.to_string())
            .header("webhook-timestamp", now.timestamp())
            .header("webhook-signature", signature)
            .body(Full::new(body.clone()))
            .map_err(invalid)
    }
}

fn failure(error: &hyper_util::client::legacy::Error) -> AttemptError {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<AddressNotAllowed>() {
            return AttemptError::AddressNotAllowed;
        }
        cause = error.source();
    }
    AttemptError::NoAnswer(problem::chain(error).chars().take(MAX_CAUSE).collect())
}
