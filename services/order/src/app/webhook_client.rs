//! The HTTP client of webhooks. It calls addresses that the rule allows, follows no redirects, and reads little of what
//! an endpoint answers.

use std::{
    error::Error,
    net::SocketAddr,
    str::FromStr as _,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use runtime::clock;
use tokio::time::timeout;
use tower::Service;
use vocabulary::WebhookMessageId;

use crate::{
    domain::webhooks::{
        AddressRule, Attempt, AttemptError, AttemptResult, EndpointKeys, EndpointUrl, sign,
    },
    names::SERVICE,
};

/// The limit for a connection, within the limit for the whole attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long and how far the body of an answer is read, so that its connection can be used again.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_BODY: usize = 4_096;

/// The head of an answer must fit.
const MAX_HEAD: usize = 65_536;

/// How long a connection stays open without a request, and how many of them for each endpoint.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_IDLE: usize = 8;

/// The maximum length of the cause of a failure, in characters.
const MAX_CAUSE: usize = 200;

/// Clones share the same connections.
#[derive(Debug, Clone)]
pub(crate) struct WebhookClient {
    client: Client<HttpsConnector<HttpConnector<CheckedResolver>>, Full<Bytes>>,
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
        let mut connector = HttpConnector::new_with_resolver(CheckedResolver(rule));
        // The scheme is checked before.
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT.min(timeout)));
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE)
            .http1_max_buf_size(MAX_HEAD)
            .build(connector);
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

/// Resolves host names, and leaves out the addresses that the rule does not allow. It runs for each connection, and the
/// connection uses its result, so a name that resolves differently a moment later gains nothing.
#[derive(Debug, Clone, Copy)]
struct CheckedResolver(AddressRule);

#[derive(Debug, thiserror::Error)]
#[error("the name has no public address")]
struct AddressNotAllowed;

impl Service<Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let rule = self.0;
        let resolve = async move {
            // The connector sets the port.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(allowed(rule, found)?.into_iter())
        };
        resolve.boxed()
    }
}

fn allowed(
    rule: AddressRule,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, AddressNotAllowed> {
    let allowed: Vec<SocketAddr> = found.filter(|address| rule.allows(address.ip())).collect();
    if allowed.is_empty() { Err(AddressNotAllowed) } else { Ok(allowed) }
}

#[cfg(test)]
mod tests {
    use super::{AddressNotAllowed, allowed};
    use crate::domain::webhooks::AddressRule;

    #[test]
    fn only_the_public_addresses_of_a_name_are_used() {
        let found = ["10.0.0.1:0", "1.1.1.1:0", "[::1]:0"].map(|text| text.parse().unwrap());
        let used = allowed(AddressRule::Public, found.into_iter()).unwrap();
        assert_eq!(used, ["1.1.1.1:0".parse().unwrap()]);
        let private = [found[0], found[2]].into_iter();
        assert!(matches!(allowed(AddressRule::Public, private), Err(AddressNotAllowed)));
        assert_eq!(allowed(AddressRule::Any, found.into_iter()).unwrap(), found);
    }
}
