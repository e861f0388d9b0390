//! The HTTPS client of webhooks and of the payment provider. It calls addresses that its rule allows, follows no redirects, and uses no
//! proxy.

use std::{
    error::Error,
    net::SocketAddr,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use tower::Service;

use crate::domain::webhooks::AddressRule;

/// The limit for a connection, within the limit for the whole request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The head of an answer must fit.
const MAX_HEAD: usize = 65_536;

/// How long a connection stays open without a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) type HttpsClient = Client<HttpsConnector<HttpConnector<CheckedResolver>>, Full<Bytes>>;

/// A client with at most `max_idle` idle connections to each host. A connection is made within `timeout`, the limit of the caller for a
/// whole request.
pub(super) fn https_client(rule: AddressRule, timeout: Duration, max_idle: usize) -> HttpsClient {
    let mut connector = HttpConnector::new_with_resolver(CheckedResolver(rule));
    // The callers check the scheme.
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT.min(timeout)));
    connector.set_nodelay(true);
    let connector = HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(max_idle)
        .http1_max_buf_size(MAX_HEAD)
        .build(connector)
}

/// Resolves host names, and leaves out the addresses that the rule does not allow. It runs for each connection, and the
/// connection uses its result, so a name that resolves differently a moment later gains nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckedResolver(AddressRule);

#[derive(Debug, thiserror::Error)]
#[error("the name has no public address")]
pub(super) struct AddressNotAllowed;

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
