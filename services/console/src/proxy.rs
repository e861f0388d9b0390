//! The reverse proxy: one origin for the browser. Bodies stream both ways.

use std::{
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody as _},
    extract::{ConnectInfo, Request},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
        header::{
            ACCEPT, CONNECTION, CONTENT_TYPE, EXPECT, FORWARDED, HOST, LOCATION,
            PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
        },
    },
    response::Response,
};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use problem::{FieldError, Problem};
use runtime::clients::{Client, ClientLimits, TrustedProxies};
use tls::{
    ClientTls,
    http::{HttpClient, HttpError, ResponseBody, Timeouts},
};
use tokio::sync::watch;

use crate::{
    config::{Services, join_path},
    open_requests::{OpenRequest, OpenRequests, Refused},
};

const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Shorter than the time after which a service closes an idle connection.
pub(crate) const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(5);

const EVENT_STREAM: &str = "text/event-stream";
/// Query parameters of long polls.
const WAIT_PARAMETERS: [&str; 2] = ["wait_ms=", "wait_for="];

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
    client: HttpClient<Body>,
    services: Services,
    timeouts: ProxyTimeouts,
    trusted_proxies: TrustedProxies,
    /// Requests that are answered at once.
    requests: OpenRequests,
    /// Event streams and long polls, so that they do not take the place of requests.
    waiting: OpenRequests,
}

impl Proxy {
    /// A proxy that has its bounds per client, and believes `trusted_proxies` who the client is.
    pub fn new(
        services: Services,
        tls: Option<ClientTls>,
        timeouts: ProxyTimeouts,
        limits: ClientLimits,
        trusted_proxies: TrustedProxies,
    ) -> Proxy {
        let connections =
            Timeouts { connect: timeouts.connect, read: None, idle: POOL_IDLE_TIMEOUT };
        let client = HttpClient::new(tls, connections);
        let per_address = limits.forwarded.map(|bound| bound.get() as usize);
        let requests = OpenRequests::new(per_address);
        let waiting = OpenRequests::new(per_address.map(|bound| bound.div_ceil(2)));
        Proxy(Arc::new(Inner { client, services, timeouts, trusted_proxies, requests, waiting }))
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
        if has_dot_segment(path) {
            return Err(invalid_path("must not contain the segments . and .."));
        }
        let client = Client::of(request.extensions());
        let waits = may_wait(&request);
        let kind = if waits { &proxy.waiting } else { &proxy.requests };
        let mut open = kind.enter(&client).map_err(refused)?;
        let mut url = join_path(base, path);
        url.set_query(request.uri().query());

        let uri = Uri::try_from(url.as_str()).map_err(|_| invalid_path("is not valid"))?;

        let upstream = send(proxy, service, uri, request).await?;
        if !waits && is_event_stream(upstream.headers()) {
            open = proxy.waiting.enter(&client).map_err(refused)?;
        }
        let mut response = Response::new(());
        *response.status_mut() = upstream.status();
        *response.headers_mut() = end_to_end(upstream.headers());
        rewrite_location(service, response.headers_mut());
        let body = upstream.into_body().map_frame(move |frame| {
            // Counts until the body is dropped.
            let _: &OpenRequest = &open;
            frame
        });
        Ok(response.map(|()| Body::new(body)))
    }
}

/// Sends the request and waits for the response headers.
async fn send(
    proxy: &Inner,
    service: &'static str,
    uri: Uri,
    request: Request,
) -> Result<Response<ResponseBody>, Problem> {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let headers = request_headers(&parts.headers, peer, &proxy.trusted_proxies);
    let (progress, mut progressed) = watch::channel(());
    let unreadable = Arc::new(OnceLock::new());
    let body = if body.is_end_stream() {
        Body::empty()
    } else {
        let unreadable = unreadable.clone();
        let body = body.into_data_stream().inspect(move |chunk| {
            if let Err(error) = chunk {
                // The client is at fault, not the service.
                let _ = unreadable.set(Problem::unreadable_body(error));
            }
            progress.send_replace(());
        });
        Body::from_stream(body)
    };
    let mut upstream = Request::new(body);
    *upstream.method_mut() = parts.method;
    *upstream.uri_mut() = uri;
    *upstream.headers_mut() = headers;
    let mut response = pin!(proxy.client.send(upstream));
    loop {
        tokio::select! {
            biased;
            response = &mut response => return response.map_err(|error| {
                unreadable.get().cloned().unwrap_or_else(|| problem_of(service, &error))
            }),
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

/// Whether the answer may take long: an event stream, or a long poll.
fn may_wait(request: &Request) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    let query = request.uri().query().unwrap_or_default();
    accept.is_some_and(|accept| accept.contains(EVENT_STREAM))
        || query.split('&').any(|pair| WAIT_PARAMETERS.iter().any(|name| pair.starts_with(name)))
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|content_type| content_type.starts_with(EVENT_STREAM.as_bytes()))
}

fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::Full => Problem::unavailable("proxy_busy", RETRY_AFTER),
        Refused::Client => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_open_requests",
            "Too many requests are open",
        )
        .retry_after(RETRY_AFTER),
    }
}

/// Whether the URL parser would leave the path of the service: it also decodes `%2e`, and reads `\` as `/`.
fn has_dot_segment(path: &str) -> bool {
    path.split(['/', '\\']).any(|segment| {
        let dots = segment.to_ascii_lowercase().replace("%2e", ".");
        matches!(dots.as_str(), "." | "..")
    })
}

fn invalid_path(message: &str) -> Problem {
    let error = FieldError::new("", "invalid", message);
    Problem::bad_request("invalid_path", "The path is not valid").errors(vec![error])
}

fn problem_of(service: &str, error: &HttpError) -> Problem {
    tracing::warn!(service, error = problem::chain(error), "cannot forward a request");
    if let HttpError::Connect(_) = error {
        return Problem::unavailable("service_unreachable", RETRY_AFTER)
            .detail(format!("Cannot connect to {service}."));
    }
    Problem::new(StatusCode::BAD_GATEWAY, "service_broke_off", "The service closed the connection")
        .detail(format!("{service} closed the connection; the request may have taken effect."))
}

/// The headers to send to the service. The service believes what they tell about the client, so it passes on nothing that the
/// console does not believe.
fn request_headers(
    received: &HeaderMap,
    peer: Option<IpAddr>,
    trusted_proxies: &TrustedProxies,
) -> HeaderMap {
    let mut headers = end_to_end(received);
    headers.remove(HOST);
    // The console has already sent `100 Continue`, by reading the body.
    headers.remove(EXPECT);
    headers.remove(FORWARDED);
    headers.remove(&X_FORWARDED_FOR);
    if let Some(peer) = peer
        && let client = trusted_proxies.client(peer, received)
        && let Ok(client) = HeaderValue::from_str(&client.to_string())
    {
        headers.insert(X_FORWARDED_FOR, client);
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

#[cfg(test)]
mod tests {
    use super::has_dot_segment;

    #[test]
    fn dot_segments_are_found_however_they_are_written() {
        for path in ["/..", "/v1/%2e%2e/x", "/.%2E/x", "/v1/./x", "/v1/..\\x", "/%2e"] {
            assert!(has_dot_segment(path), "{path}");
        }
        for path in ["/", "/v1/a..b", "/v1/...", "/v1/KB%2F87", "/v1/%252e%252e"] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }
}
