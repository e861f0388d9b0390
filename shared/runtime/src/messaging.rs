//! Messaging as a part of a service's life: relay and consumers under its lifecycle, the broker in its health, dead
//! letters among its routes.

use std::{convert::Infallible, time::Duration};

use ::messaging::{
    Connectivity, Kit, Messaging, QueueReport, Topology, Worth,
    dead_letters::{self, DeadLetter, Unresolved},
};
use axum::{
    extract::{FromRef, State},
    http::StatusCode,
};
use problem::{Json, Path, Problem, Query};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    Lifecycle, Service,
    auth::{Caller, Scope, Verifier},
    config,
    database::{self, DatabaseError},
    health::{Component, Health},
};

/// How long a broker that is still starting is waited for.
const BROKER_STARTS: Duration = Duration::from_mins(1);

/// How long between two looks at a broker that is still starting.
const ANOTHER_LOOK: Duration = Duration::from_millis(500);

/// Why the servers are not prepared.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The broker.
    #[error("the exchanges and queues of the service could not be declared")]
    Broker(#[source] ::messaging::Error),
}

/// Prepares the servers for a service: the database gets its newest schema, the broker the exchanges and queues of the
/// topology. When every service has been migrated before the first one serves, nothing is ever said that finds no queue.
pub async fn migrate(
    service: &Service,
    servers: &config::Servers,
    migrators: &[&Migrator],
    topology: &Topology,
) -> Result<(), MigrateError> {
    database::migrate(service, &servers.database, migrators).await?;
    let deadline = Instant::now() + BROKER_STARTS;
    loop {
        match ::messaging::declare(servers.broker.url.expose(), topology).await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(MigrateError::Broker(error)),
            Err(error) => {
                tracing::info!(error = problem::chain(&error), "the broker is not there yet");
                tokio::time::sleep(ANOTHER_LOOK).await;
            }
        }
    }
}

/// Starts the relay and the consumers, and keeps the health components `events_out`, `events_in` and `outbox` current.
///
/// At shutdown the consumers finish what is in hand first; the relay goes on until they have, so that what they said
/// leaves with them.
pub fn start(lifecycle: &Lifecycle, health: &Health, messaging: &Messaging) {
    let consumers_done = CancellationToken::new();
    let (consumers, relay) = (messaging.clone(), messaging.clone());
    let (soft, done) = (lifecycle.soft(), consumers_done.clone());
    lifecycle.spawn("consumers", async move {
        // Dropped at the hard end too, so that the relay never waits for consumers that are gone.
        let _done = done.drop_guard();
        consumers.consume(soft).await;
        Ok::<_, Infallible>(())
    });
    lifecycle.spawn("relay", async move {
        relay.relay(consumers_done).await;
        Ok::<_, Infallible>(())
    });
    let (out, incoming) = (health.component("events_out"), health.component("events_in"));
    let (mut connectivity, soft) = (messaging.connectivity(), lifecycle.soft());
    lifecycle.spawn("broker health", async move {
        loop {
            let Connectivity { publisher_down, consumer_down } =
                connectivity.borrow_and_update().clone();
            tell(&out, publisher_down);
            tell(&incoming, consumer_down);
            tokio::select! {
                () = soft.cancelled() => break,
                changed = connectivity.changed() => if changed.is_err() { break },
            }
        }
        Ok::<_, Infallible>(())
    });
    let (outbox, soft) = (health.component("outbox"), lifecycle.soft());
    let mut pressure = messaging.pressure();
    lifecycle.spawn("outbox health", async move {
        loop {
            let refused = pressure.borrow_and_update().admit(Worth::Lesser).err();
            tell(&outbox, refused.map(|shed| shed.reason));
            tokio::select! {
                () = soft.cancelled() => break,
                changed = pressure.changed() => if changed.is_err() { break },
            }
        }
        Ok::<_, Infallible>(())
    });
}

/// Refuses a write of this worth, with 503 and `Retry-After`, while the outbox is too full for it or its events do not leave:
/// the first thing that a handler does on behalf of a caller who may write.
///
/// The codes are `broker_unavailable` and `outbox_full`.
pub fn admit(kit: &Kit, worth: Worth) -> Result<(), Problem> {
    kit.admit(worth).map_err(|shed| {
        metrics::counter!("messaging_writes_refused_total", "code" => shed.code).increment(1);
        Problem::unavailable(shed.code, shed.retry_after).detail(format!("{}.", shed.reason))
    })
}

fn tell(component: &Component, down: Option<String>) {
    match down {
        None => component.up(),
        Some(reason) => component.down(reason),
    }
}

/// The routes by which people look after a service's messaging: its dead letters and how its queues fare (scope `ops`), and the
/// names of its queues.
pub fn dead_letter_routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Kit: FromRef<S>,
    Topology: FromRef<S>,
    Verifier: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(redrive))
        .routes(routes!(discard))
        .routes(routes!(queues))
        .routes(routes!(queue_figures))
}

/// Which dead letters to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Selection {
    /// Those too that have been dealt with.
    #[serde(default)]
    all: bool,
    /// How many at most, newest first; 1 to 500, 50 unless said.
    limit: Option<u16>,
}

/// Dead letters, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DeadLetters {
    /// The letters.
    #[schema(value_type = Vec<Object>)]
    items: Vec<DeadLetter>,
    /// How many nobody has dealt with yet, in all.
    pending: i64,
}

/// What could not be handled here.
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "operations", params(Selection),
    responses((status = 200, body = DeadLetters)), security(("bearer" = ["ops"]))
)]
async fn list(
    caller: Caller,
    State(kit): State<Kit>,
    Query(selection): Query<Selection>,
) -> Result<Json<DeadLetters>, Problem> {
    caller.require(Scope::Ops)?;
    let limit = selection.limit.unwrap_or(50).clamp(1, 500);
    let mut connection = kit.pool().acquire().await?;
    let items = dead_letters::list(&mut connection, !selection.all, i64::from(limit)).await;
    let pending = dead_letters::count_pending(&mut connection).await;
    let internal = |error| Problem::internal_from(&error);
    Ok(Json(DeadLetters { items: items.map_err(internal)?, pending: pending.map_err(internal)? }))
}

/// Hands a dead letter to its handler once more. It takes effect once.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/redrive", tag = "operations", params(("id" = Uuid, Path)),
    responses((status = 204)), security(("bearer" = ["ops"]))
)]
async fn redrive(
    caller: Caller,
    State(kit): State<Kit>,
    State(topology): State<Topology>,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Ops)?;
    dead_letters::redrive(&kit, &topology, id).await.map_err(unresolved)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a dead letter up for good; later events of its key go on without it.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/discard", tag = "operations", params(("id" = Uuid, Path)),
    responses((status = 204)), security(("bearer" = ["ops"]))
)]
async fn discard(
    caller: Caller,
    State(kit): State<Kit>,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Ops)?;
    dead_letters::discard(&kit, id).await.map_err(unresolved)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The queues of a service.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Queues {
    /// Their names.
    queues: Vec<String>,
}

/// The names of the queues that this service reads or that catch what it says in vain.
#[utoipa::path(get, path = "/ops/topology", tag = "operations", responses((status = 200, body = Queues)))]
async fn queues(State(topology): State<Topology>) -> Json<Queues> {
    Json(Queues { queues: topology.queues() })
}

/// How the queues fare that this process consumes, and the outbox, over the last half minute.
///
/// Arrivals (λ), events in the queue (L) and the time that one stays (W) are measured apart; `little_ratio` is L ÷ λW and about
/// one where all is seen. `consumers_needed` is how many consumers the load needs, none busier than four fifths of the time.
#[utoipa::path(
    get, path = "/v1/queues", tag = "operations",
    responses((status = 200, body = Object, description = "`outbox`, and `queues` by their names")),
    security(("bearer" = ["ops"]))
)]
async fn queue_figures(
    caller: Caller,
    State(kit): State<Kit>,
) -> Result<Json<QueueReport>, Problem> {
    caller.require(Scope::Ops)?;
    Ok(Json(kit.queues()))
}

fn unresolved(error: Unresolved) -> Problem {
    let detail = error.to_string();
    match error {
        Unresolved::NotPending(id) => Problem::not_found(format_args!("pending dead letter {id}")),
        Unresolved::NotRedrivable(_) => {
            Problem::conflict("not_redrivable", "The dead letter cannot be sent again")
                .detail(detail)
        }
        Unresolved::NotYet { .. } => {
            Problem::conflict("missing_predecessor", "An earlier event of the key is missing")
                .detail(detail)
        }
        Unresolved::FailedAgain(_) => {
            Problem::conflict("failed_again", "The handler failed again").detail(detail)
        }
        Unresolved::Kit(error) => Problem::internal_from(&error),
    }
}
