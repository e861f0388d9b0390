//! Who sends a request, and whether this client may send it now.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use problem::Problem;

use crate::{
    auth::{Verifier, bearer_token},
    clients::{Client, RateLimiter, TrustedProxies},
    config,
};

/// Health checks must not fail because of other requests from the same address. They cost next to nothing.
const UNCOUNTED: &str = "/health/";

/// Recognises clients and counts their requests. Clones share the counts.
#[derive(Clone)]
pub(super) struct Admission(Arc<Inner>);

struct Inner {
    verifier: Option<Verifier>,
    trusted_proxies: TrustedProxies,
    principals: Option<RateLimiter<Arc<str>>>,
    addresses: Option<RateLimiter<IpAddr>>,
}

impl Admission {
    pub(super) fn new(config: &config::Http, verifier: Option<Verifier>) -> Admission {
        let limits = config.client_limits;
        Admission(Arc::new(Inner {
            verifier,
            trusted_proxies: config.trusted_proxies.clone(),
            principals: limits.principal.map(RateLimiter::per_second),
            addresses: limits.address.map(RateLimiter::per_second),
        }))
    }

    /// A request without a valid token has no principal; its handler refuses it if it needs one.
    async fn client(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Client {
        let Inner { verifier, trusted_proxies, .. } = &*self.0;
        let address = peer.map(|peer| trusted_proxies.client(peer, headers));
        let caller = match (verifier, bearer_token(headers)) {
            (Some(verifier), Some(token)) => verifier.authenticate(token).await.ok(),
            _ => None,
        };
        Client { address, principal: caller.map(|caller| caller.subject().into()) }
    }

    /// Counts a request, or returns after how long the client may send the next one.
    fn check(&self, client: &Client) -> Result<(), Duration> {
        let Inner { principals, addresses, .. } = &*self.0;
        match (&client.principal, client.counted_address()) {
            (Some(principal), _) => principals.as_ref().map(|limiter| limiter.check(principal)),
            (None, Some(address)) => addresses.as_ref().map(|limiter| limiter.check(&address)),
            (None, None) => None,
        }
        .unwrap_or(Ok(()))
    }
}

/// Adds the [`Client`] to the request. Answers 429 `too_many_requests` if it has sent too many.
pub(super) async fn admit(
    State(admission): State<Admission>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let client = admission.client(request.headers(), peer).await;
    let admitted =
        if request.uri().path().starts_with(UNCOUNTED) { Ok(()) } else { admission.check(&client) };
    if let Err(wait) = admitted {
        let by = if client.principal.is_some() { "principal" } else { "address" };
        metrics::counter!("http_requests_limited_total", "by" => by).increment(1);
        let title = "Too many requests";
        return Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", title)
            .detail(format!("Requests are limited per {by}."))
            .retry_after(wait)
            .into_response();
    }
    request.extensions_mut().insert(client);
    next.run(request).await
}
