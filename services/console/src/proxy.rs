//! The reverse proxy: one origin for the browser. Bodies stream both ways.

use std::{
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    body::{Body, HttpBody as _},
    extract::{ConnectInfo, Request},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            CONNECTION, EXPECT, HOST, LOCATION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
            TRAILER, TRANSFER_ENCODING, UPGRADE,
        },
    },
    response::Response,
};
use futures::StreamExt as _;
use problem::Problem;
use tokio::sync::{Semaphore, watch};

use crate::config::{Services, join_path};

/// How many requests may be in flight; an event stream counts while it is open.
const MAX_IN_FLIGHT: usize = 1024;
const RETRY_AFTER: Duration = Duration::from_secs(1);

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Headers that concern one connection and not the request or the response.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// How long the proxy waits for a service.
#[derive(Debug, Clone, Copy)]
pub struct ProxyTimeouts {
    pub connect: Duration,
    /// Until the response headers, counted from the last chunk of the request body. The default allows for long polls and
    /// for dead-letter redrives, which the services bound at two minutes.
    pub response_headers: Duration,
}

impl Default for ProxyTimeouts {
    fn default() -> ProxyTimeouts {
        let response_headers = Duration::from_secs(130);
        ProxyTimeouts { connect: Duration::from_secs(2), response_headers }
    }
}

/// Forwards requests to the services. Clones share connections and limits.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    services: Services,
    timeouts: ProxyTimeouts,
    in_flight: Arc<Semaphore>,
}

impl Proxy {
    pub fn new(services: Services, timeouts: ProxyTimeouts) -> Result<Proxy, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(timeouts.connect)
            // The services are at their configured addresses, whatever `HTTP_PROXY` says.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        Ok(Proxy(Arc::new(Inner { client, services, timeouts, in_flight })))
    }

    /// Forwards `request`, with its query, to `path` of the service called `name` and returns the service's response.
    pub(crate) async fn forward(
        &self,
        name: &str,
        path: &str,
        request: Request,
    ) -> Result<Response, Problem> {
        let proxy = &*self.0;
        let Some((service, base)) = proxy.services.find(name) else {
            return Err(Problem::not_found(format_args!("service {name}")));
        };
        let Ok(permit) = proxy.in_flight.clone().try_acquire_owned() else {
            return Err(Problem::unavailable("proxy_busy", RETRY_AFTER));
        };
        let mut url = join_path(base, path);
        url.set_query(request.uri().query());

        let upstream = send(proxy, service, url, request).await?;
        let mut response = Response::new(());
        *response.status_mut() = upstream.status();
        *response.headers_mut() = end_to_end(upstream.headers());
        rewrite_location(service, response.headers_mut());
        let body = upstream.bytes_stream().map(move |chunk| {
            // Holds the permit until the stream is dropped.
            let _ = &permit;
            chunk
        });
        Ok(response.map(|()| Body::from_stream(body)))
    }
}

/// Sends the request and waits for the response headers.
async fn send(
    proxy: &Inner,
    service: &'static str,
    url: reqwest::Url,
    request: Request,
) -> Result<reqwest::Response, Problem> {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let headers = request_headers(&parts.headers, peer);
    let mut upstream = proxy.client.request(parts.method, url).headers(headers);
    let (progress, mut progressed) = watch::channel(());
    if !body.is_end_stream() {
        let body = body.into_data_stream().inspect(move |_| progress.send_replace(()));
        upstream = upstream.body(reqwest::Body::wrap_stream(body));
    }
    let mut response = pin!(upstream.send());
    loop {
        tokio::select! {
            biased;
            response = &mut response => return response.map_err(|error| problem_of(service, &error)),
            () = tokio::time::sleep(proxy.timeouts.response_headers) => {
                tracing::warn!(service, "service did not respond in time");
                return Err(Problem::new(
                    StatusCode::GATEWAY_TIMEOUT,
                    "service_silent",
                    "The service did not respond in time",
                )
                .detail(format!("{service} did not respond; the request may have taken effect.")));
            }
            // Each chunk of an upload restarts the timeout.
            Ok(()) = progressed.changed() => {}
        }
    }
}

fn problem_of(service: &str, error: &reqwest::Error) -> Problem {
    tracing::warn!(service, error = problem::chain(error), "cannot forward a request");
    if error.is_connect() {
        return Problem::unavailable("service_unreachable", RETRY_AFTER)
            .detail(format!("Cannot connect to {service}."));
    }
    Problem::new(StatusCode::BAD_GATEWAY, "service_broke_off", "The service closed the connection")
        .detail(format!("{service} closed the connection; the request may have taken effect."))
}

/// The headers to send to the service.
fn request_headers(received: &HeaderMap, peer: Option<IpAddr>) -> HeaderMap {
    let mut headers = end_to_end(received);
    headers.remove(HOST);
    // The console has already sent `100 Continue`, by reading the body.
    headers.remove(EXPECT);
    if let Some(peer) = peer {
        let before = headers.get(&X_FORWARDED_FOR).and_then(|value| value.to_str().ok());
        let chain = before.map_or_else(|| peer.to_string(), |before| format!("{before}, {peer}"));
        if let Ok(chain) = HeaderValue::from_str(&chain) {
            headers.insert(X_FORWARDED_FOR, chain);
        }
    }
    // A child of the browser's trace context, or a new one.
    if let Some(context) = envelope::trace::current()
        && let Ok(value) = HeaderValue::from_str(&context.to_string())
    {
        headers.insert(TRACEPARENT, value);
    }
    headers
}

/// All headers except hop-by-hop headers and those that `Connection` names.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for name in HOP_BY_HOP {
        kept.remove(name);
    }
    let named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    for name in named.flat_map(|value| value.split(',')) {
        kept.remove(name.trim());
    }
    kept
}

/// Prefixes a `Location` on the service itself, so that it leads through the proxy.
fn rewrite_location(service: &str, headers: &mut HeaderMap) {
    let Some(location) = headers.get(LOCATION).and_then(|value| value.to_str().ok()) else {
        return;
    };
    if location.starts_with('/')
        && !location.starts_with("//")
        && let Ok(location) = HeaderValue::from_str(&format!("/api/{service}{location}"))
    {
        headers.insert(LOCATION, location);
    }
}
