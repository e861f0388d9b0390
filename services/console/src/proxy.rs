//! One origin for the browser: `/api/<service>/…` is handed on to the service, bodies streamed both ways.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    CONNECTION, EXPECT, HOST, LOCATION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::any;
use futures::StreamExt as _;
use problem::Problem;
use tokio::sync::{Semaphore, watch};
use utoipa_axum::router::OpenApiRouter;

use crate::config::{Services, under};

/// How many requests are handed on at once; event streams count as long as they are open.
const IN_FLIGHT: usize = 1024;
/// How long a request with its upload may take until the head of the answer is there.
const LONGEST: Duration = Duration::from_mins(15);
/// When to try again after a service was not there.
const RETRY_AFTER: Duration = Duration::from_secs(1);

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Headers that are about one connection and not about the request or the answer.
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
pub struct Patience {
    /// For the connection.
    pub connect: Duration,
    /// For the head of the answer, counted from the last part of the request's body. Long enough for a long poll, and for dead letters that are
    /// sent again, to which the services give two minutes.
    pub head: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { connect: Duration::from_secs(2), head: Duration::from_secs(130) }
    }
}

/// Hands requests on. Clones share connections and bounds.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    services: Services,
    patience: Patience,
    in_flight: Arc<Semaphore>,
}

impl Proxy {
    /// A proxy to `services`.
    pub fn new(services: Services, patience: Patience) -> Result<Proxy, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(patience.connect)
            // The services are where the configuration says, whatever the environment says about proxies.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
        Ok(Proxy(Arc::new(Inner { client, services, patience, in_flight })))
    }
}

/// `/api/<service>/…` with every method.
pub fn router(proxy: Proxy) -> OpenApiRouter {
    OpenApiRouter::new()
        .route("/api/{service}", any(forward))
        .route("/api/{service}/", any(forward))
        .route("/api/{service}/{*path}", any(forward))
        .layer(runtime::http::within(LONGEST))
        .with_state(proxy)
}

async fn forward(State(proxy): State<Proxy>, request: Request) -> Result<Response, Problem> {
    // The path is cut by hand: an escaped slash in it must stay escaped.
    let path = request.uri().path().strip_prefix("/api/").unwrap_or_default();
    let (name, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let (name, rest) = (name.to_owned(), if rest.is_empty() { "/" } else { rest }.to_owned());
    proxy.hand_on(&name, &rest, request).await
}

impl Proxy {
    /// Hands `request` on to `path` of the service called `name`, its query with it, and answers as the service does.
    pub(crate) async fn hand_on(
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
        let mut url = under(base, path);
        url.set_query(request.uri().query());

        let answer = ask(proxy, service, url, request).await?;
        let mut response = Response::new(());
        *response.status_mut() = answer.status();
        *response.headers_mut() = end_to_end(answer.headers());
        point_back(service, response.headers_mut());
        let body = answer.bytes_stream().map(move |part| {
            // The permit lives as long as the stream does.
            let _ = &permit;
            part
        });
        Ok(response.map(|()| Body::from_stream(body)))
    }
}

/// Sends the request and waits for the head of the answer.
async fn ask(
    proxy: &Inner,
    service: &'static str,
    url: reqwest::Url,
    request: Request,
) -> Result<reqwest::Response, Problem> {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let mut asking = proxy.client.request(parts.method, url).headers(onward(&parts.headers, peer));
    let (progress, mut moved) = watch::channel(());
    if !body.is_end_stream() {
        let body = body.into_data_stream().inspect(move |_| progress.send_replace(()));
        asking = asking.body(reqwest::Body::wrap_stream(body));
    }
    let mut answer = pin!(asking.send());
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return answer.map_err(|error| failed(service, &error)),
            () = tokio::time::sleep(proxy.patience.head) => {
                tracing::warn!(service, "a service did not answer in time");
                return Err(Problem::new(
                    StatusCode::GATEWAY_TIMEOUT,
                    "service_silent",
                    "A service did not answer in time",
                )
                .detail(format!("{service} was asked; whether it took effect is not known.")));
            }
            // Each part of an upload that goes out begins the waiting anew.
            Ok(()) = moved.changed() => {}
        }
    }
}

fn failed(service: &str, error: &reqwest::Error) -> Problem {
    let cause = problem::chain(error);
    tracing::warn!(service, error = cause, "a request could not be handed on");
    if error.is_connect() {
        return Problem::unavailable("service_unreachable", RETRY_AFTER)
            .detail(format!("{service} cannot be reached."));
    }
    Problem::new(StatusCode::BAD_GATEWAY, "service_broke_off", "A service broke off")
        .detail(format!("{service} ended the connection; whether it took effect is not known."))
}

/// The headers that go on to the service.
fn onward(headers: &HeaderMap, peer: Option<IpAddr>) -> HeaderMap {
    let mut onward = end_to_end(headers);
    onward.remove(HOST);
    // It was answered here, by reading the body.
    onward.remove(EXPECT);
    if let Some(peer) = peer {
        let before = onward.get(&X_FORWARDED_FOR).and_then(|value| value.to_str().ok());
        let chain = before.map_or_else(|| peer.to_string(), |before| format!("{before}, {peer}"));
        if let Ok(chain) = HeaderValue::from_str(&chain) {
            onward.insert(X_FORWARDED_FOR, chain);
        }
    }
    // Within a request there is always a trace: the browser's own, one step further, or a new one.
    if let Some(context) = contracts::trace::current()
        && let Ok(value) = HeaderValue::from_str(&context.to_string())
    {
        onward.insert(TRACEPARENT, value);
    }
    onward
}

/// All headers but those of the connection, and those that the connection's own header names.
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

/// A service says where something is by its own paths; here they stand under its name.
fn point_back(service: &str, headers: &mut HeaderMap) {
    let Some(location) = headers.get(LOCATION).and_then(|value| value.to_str().ok()) else {
        return;
    };
    if location.starts_with('/')
        && !location.starts_with("//")
        && let Ok(here) = HeaderValue::from_str(&format!("/api/{service}{location}"))
    {
        headers.insert(LOCATION, here);
    }
}
