//! What the live operations page is told: events as they flow, how the services are, how long the queues are, what could
//! not be handled. Only for tokens with the scope `ops`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use problem::Problem;
use runtime::auth::{Caller, Scope, Verifier};
use serde::Serialize;
use tokio::sync::{broadcast, watch};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::dead_letters::{self, DeadLetters};
use crate::queues::{QueueDepth, Queues};
use crate::service_health::ServiceHealth;

/// How many may look at once.
const SEATS: usize = 64;
/// How many bundles a slow browser may be behind before it skips some.
pub const BEHIND: usize = 64;
/// How often an idle stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Whether the console hears the broker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct Broker {
    connected: bool,
    /// The exchanges that it listens to.
    exchanges: Vec<&'static str>,
    /// Why it hears nothing, where it should.
    reason: Option<String>,
}

/// How things stand: what the page is told first, and at every change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct Standing {
    broker: Broker,
    services: Vec<ServiceHealth>,
}

/// Who looks, and what they are shown. Clones are the same.
#[derive(Debug, Clone)]
pub struct Watching {
    seats: Arc<watch::Sender<usize>>,
    standing: Arc<watch::Sender<Standing>>,
}

impl Default for Watching {
    fn default() -> Watching {
        Watching {
            seats: Arc::new(watch::Sender::new(0)),
            standing: Arc::new(watch::Sender::new(Standing::default())),
        }
    }
}

impl Watching {
    /// Waits until somebody looks: nothing is overheard and nobody is asked for people who are not there.
    pub async fn somebody(&self) {
        // The sender is in our own hand, so waiting cannot fail.
        let _ = self.seats.subscribe().wait_for(|taken| *taken > 0).await;
    }

    /// Whether nobody looks.
    pub fn nobody(&self) -> bool {
        *self.seats.borrow() == 0
    }

    /// Says how the console stands to the broker.
    pub fn broker(&self, connected: bool, exchanges: &[&'static str], reason: Option<String>) {
        let broker = Broker { connected, exchanges: exchanges.to_vec(), reason };
        self.standing.send_if_modified(|standing| {
            let changed = standing.broker != broker;
            standing.broker = broker;
            changed
        });
    }

    /// Says how the services are.
    pub fn services(&self, services: Vec<ServiceHealth>) {
        self.standing.send_if_modified(|standing| {
            let changed = standing.services != services;
            standing.services = services;
            changed
        });
    }

    fn take_seat(&self) -> Option<Seat> {
        let taken = self.seats.send_if_modified(|taken| {
            let free = *taken < SEATS;
            *taken += usize::from(free);
            free
        });
        taken.then(|| Seat(self.seats.clone()))
    }
}

/// One who looks, for as long as it exists.
struct Seat(Arc<watch::Sender<usize>>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.send_modify(|taken| *taken = taken.saturating_sub(1));
    }
}

/// What the routes of the page need.
#[derive(Clone)]
pub struct Ops {
    /// Who looks.
    pub watching: Watching,
    /// What flows.
    pub flows: broadcast::Sender<Arc<str>>,
    /// How long the queues are.
    pub queues: Arc<Queues>,
    /// What could not be handled.
    pub letters: DeadLetters,
    /// Whose tokens are believed; nobody's, where there is no key.
    pub verifier: Option<Verifier>,
}

/// `GET /ops/events`, `GET /ops/queues` and the dead letters.
pub fn router(ops: Ops) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(events))
        .routes(routes!(depths))
        .merge(dead_letters::router())
        .with_state(ops)
}

/// A caller whose token carries the scope `ops`.
pub(crate) struct Operator;

impl FromRequestParts<Ops> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, ops: &Ops) -> Result<Operator, Problem> {
        let Some(verifier) = &ops.verifier else {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "tokens_off",
                "Tokens cannot be checked",
            )
            .detail("The console was started without TOKEN_KEY_FILE or TOKEN_PUBLIC_KEY_FILE."));
        };
        let caller = <Caller as FromRequestParts<Verifier>>::from_request_parts(parts, verifier);
        caller.await?.require(Scope::Ops)?;
        Ok(Operator)
    }
}

/// The operations as they go: `state` at first and at every change, `flow` for what was overheard, `skipped` where this
/// browser was too slow for some of it.
#[utoipa::path(
    get,
    path = "/ops/events",
    tag = "ops",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "Server-sent events", content_type = "text/event-stream", body = String),
        (status = 401, description = "No token, or none that is good", body = Problem),
        (status = 403, description = "The token lacks the scope `ops`", body = Problem),
        (status = 503, description = "No key to check tokens with, or too many who look", body = Problem),
    )
)]
async fn events(_: Operator, State(ops): State<Ops>) -> Result<Response, Problem> {
    let Some(seat) = ops.watching.take_seat() else {
        return Err(Problem::unavailable("too_many_watching", KEEP_ALIVE));
    };
    let mut standing = ops.watching.standing.subscribe();
    standing.mark_changed();
    let viewer = Viewer { flows: ops.flows.subscribe(), standing, _seat: seat };
    let stream = Sse::new(futures::stream::unfold(viewer, Viewer::next));
    let mut response = stream.keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // For a reverse proxy that would gather a stream before it hands it on.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// One browser that looks.
struct Viewer {
    flows: broadcast::Receiver<Arc<str>>,
    standing: watch::Receiver<Standing>,
    _seat: Seat,
}

impl Viewer {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Viewer)> {
        use broadcast::error::RecvError::{Closed, Lagged};
        let event = tokio::select! {
            biased;
            changed = self.standing.changed() => {
                changed.ok()?;
                let standing = serde_json::to_string(&*self.standing.borrow_and_update());
                Event::default().event("state").data(standing.unwrap_or_default())
            }
            flow = self.flows.recv() => match flow {
                Ok(flow) => Event::default().event("flow").data(&*flow),
                Err(Lagged(bundles)) => {
                    Event::default().event("skipped").data(format!("{{\"bundles\":{bundles}}}"))
                }
                Err(Closed) => return None,
            },
        };
        Some((Ok(event), self))
    }
}

/// How many messages wait in each queue, how many consumers take them, and how it fares.
#[utoipa::path(
    get,
    path = "/ops/queues",
    tag = "ops",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The queues, sorted by name", body = [QueueDepth]),
        (status = 401, description = "No token, or none that is good", body = Problem),
        (status = 403, description = "The token lacks the scope `ops`", body = Problem),
        (status = 503, description = "The broker does not answer", body = Problem),
    )
)]
async fn depths(
    _: Operator,
    State(ops): State<Ops>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match ops.queues.now(headers.get(AUTHORIZATION)).await {
        Ok(queues) => Ok(([(CACHE_CONTROL, "no-store")], Json(queues)).into_response()),
        Err(error) => {
            tracing::warn!(error = problem::chain(&error), "the queues cannot be read");
            Err(Problem::unavailable("broker_unavailable", Duration::from_secs(2)))
        }
    }
}
