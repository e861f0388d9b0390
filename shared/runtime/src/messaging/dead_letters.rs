//! The routes by which people look after a service's dead letters, and the names of its queues.

use std::time::Duration;

use ::messaging::{
    Kit, QueueReport, Topology, Worth,
    dead_letters::{
        self, DeadLetter, Discarded, DryRun, Group, NotEdited, Pace, Redriven, Selection, Shown,
        Unresolved,
    },
};
use axum::{
    extract::{FromRef, State},
    http::StatusCode,
};
use problem::{FieldError, Json, Path, Problem, Query};
use serde::{Deserialize, Serialize};
use serde_json::value::{Value, to_raw_value};
use sqlx::PgConnection;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::admit;
use crate::{
    auth::{Caller, Scope, Verifier},
    http,
};

/// How long one call deals with many letters before it says where the next one goes on.
const AT_ONCE: Duration = Duration::from_secs(10);

/// How long a call that hands letters to their handlers may take in all: the last of many, or the one, may be slow.
const HANDED_OVER: Duration = Duration::from_mins(2);

/// How many letters a second are sent again unless said otherwise, and at most.
const USUAL_RATE: u32 = 1_000;
const HIGHEST_RATE: u32 = 100_000;

/// How many letters one call deals with unless said otherwise, and at most.
const MOST: u32 = 1_000_000;

/// The routes by which people look after a service's messaging: its dead letters and how its queues fare (scope `ops`), and the
/// names of its queues.
pub fn dead_letter_routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Kit: FromRef<S>,
    Topology: FromRef<S>,
    Verifier: FromRef<S>,
{
    let handing_over = OpenApiRouter::new()
        .routes(routes!(dry_run))
        .routes(routes!(redrive))
        .routes(routes!(redrive_many))
        .routes(routes!(discard_many));
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(groups))
        .routes(routes!(show))
        .routes(routes!(edit))
        .routes(routes!(discard))
        .merge(handing_over.layer(http::within(HANDED_OVER)))
        .routes(routes!(queues))
        .routes(routes!(queue_figures))
}

/// Which dead letters to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// Those too that have been dealt with.
    #[serde(default)]
    all: bool,
    /// How many at most, newest first; 1 to 500, 50 unless said.
    limit: Option<u16>,
    /// The `next` of the answer before.
    after: Option<Uuid>,
    /// Only those of this consumer.
    consumer: Option<String>,
    /// Only those of this reason.
    reason: Option<String>,
    /// Only those of this event type; empty for what is no event.
    kind: Option<String>,
    /// Only those of this cause, as the groups have it.
    cause: Option<String>,
}

/// Dead letters, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DeadLetters {
    /// The letters.
    #[schema(value_type = Vec<Object>)]
    items: Vec<DeadLetter>,
    /// How many nobody has dealt with yet, in all.
    pending: i64,
    /// The `after` of the next call; none where there are no more.
    next: Option<Uuid>,
}

/// What could not be handled here.
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "operations", params(Listed),
    responses((status = 200, body = DeadLetters)), security(("bearer" = ["ops"]))
)]
async fn list(
    caller: Caller,
    State(kit): State<Kit>,
    Query(listed): Query<Listed>,
) -> Result<Json<DeadLetters>, Problem> {
    caller.require(Scope::Ops)?;
    let Listed { all, limit, after, consumer, reason, kind, cause } = listed;
    let (selection, limit) =
        (Selection { consumer, reason, kind, cause }, limit.unwrap_or(50).clamp(1, 500));
    let mut connection = kit.pool().acquire().await?;
    let limit = i64::from(limit);
    known(&mut connection, after).await?;
    let items = dead_letters::list(&mut connection, &selection, !all, after, limit).await;
    let pending = dead_letters::count_pending(&mut connection).await.map_err(internal)?;
    let items = items.map_err(internal)?;
    let is_full = i64::try_from(items.len()).is_ok_and(|listed| listed == limit);
    let next = items.last().filter(|_| is_full).map(|letter| letter.id);
    Ok(Json(DeadLetters { items, pending, next }))
}

/// Pending dead letters by what they died of.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Groups {
    /// The groups, the largest first.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Group>,
}

/// What could not be handled here, grouped by consumer, reason, event type and cause.
#[utoipa::path(
    get, path = "/v1/dead-letters/groups", tag = "operations",
    responses((status = 200, body = Groups)), security(("bearer" = ["ops"]))
)]
async fn groups(caller: Caller, State(kit): State<Kit>) -> Result<Json<Groups>, Problem> {
    caller.require(Scope::Ops)?;
    let mut connection = kit.pool().acquire().await?;
    let items = dead_letters::groups(&mut connection).await.map_err(internal)?;
    Ok(Json(Groups { items }))
}

/// One dead letter with everything that is known of it, and where its data does not fit its type.
#[utoipa::path(
    get, path = "/v1/dead-letters/{id}", tag = "operations", params(("id" = Uuid, Path)),
    responses((status = 200, body = Value)), security(("bearer" = ["ops"]))
)]
async fn show(
    caller: Caller,
    State(kit): State<Kit>,
    State(topology): State<Topology>,
    Path(id): Path<Uuid>,
) -> Result<Json<Shown>, Problem> {
    caller.require(Scope::Ops)?;
    let mut connection = kit.pool().acquire().await?;
    let shown = dead_letters::show(&mut connection, &topology, id).await.map_err(internal)?;
    shown.map(Json).ok_or_else(|| Problem::not_found(format_args!("dead letter {id}")))
}

/// Replaces the data of a pending dead letter with the body. What its handler could not read either is refused; the payload as it
/// came is kept.
#[utoipa::path(
    put, path = "/v1/dead-letters/{id}/data", tag = "operations", params(("id" = Uuid, Path)),
    request_body = Value, responses((status = 204)), security(("bearer" = ["ops"]))
)]
async fn edit(
    caller: Caller,
    State(kit): State<Kit>,
    State(topology): State<Topology>,
    Path(id): Path<Uuid>,
    Json(data): Json<Value>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Ops)?;
    let data = to_raw_value(&data).map_err(|error| internal(error.into()))?;
    dead_letters::edit(&kit, &topology, id, data).await.map_err(not_edited)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hands a dead letter to its handler and rolls everything back: says what would happen, and changes nothing.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/dry-run", tag = "operations", params(("id" = Uuid, Path)),
    responses((status = 200, body = Value)), security(("bearer" = ["ops"]))
)]
async fn dry_run(
    caller: Caller,
    State(kit): State<Kit>,
    State(topology): State<Topology>,
    Path(id): Path<Uuid>,
) -> Result<Json<DryRun>, Problem> {
    caller.require(Scope::Ops)?;
    Ok(Json(dead_letters::dry_run(&kit, &topology, id).await.map_err(unresolved)?))
}

/// Hands a dead letter to its handler once more. It takes effect once. Refused with 503 while events do not leave.
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
    admit(&kit, Worth::Lesser)?;
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

/// Which dead letters to deal with, and how fast.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Many {
    /// Only those of this consumer.
    consumer: Option<String>,
    /// Only those of this reason.
    reason: Option<String>,
    /// Only those of this event type; empty for what is no event.
    kind: Option<String>,
    /// Only those of this cause, as the groups have it.
    cause: Option<String>,
    /// How many a second at most; 1 to 100,000, 1,000 unless said.
    #[schema(minimum = 1, maximum = 100_000)]
    per_second: Option<u32>,
    /// How many in this call at most; from 1.
    #[schema(minimum = 1, maximum = 1_000_000)]
    at_most: Option<u32>,
    /// The `next` of the call before: goes on behind what that has tried.
    after: Option<Uuid>,
}

impl Many {
    fn split(self) -> Result<(Selection, Pace), Problem> {
        let Self { consumer, reason, kind, cause, per_second, at_most, after } = self;
        let mut errors = Vec::new();
        let mut bounded = |field: &str, value: Option<u32>, usual: u32, most: u32| {
            let value = value.unwrap_or(usual);
            if !(1..=most).contains(&value) {
                let message = format!("must be from 1 to {most}");
                errors.push(FieldError::new(field, "out_of_range", message));
            }
            value
        };
        let per_second = bounded("per_second", per_second, USUAL_RATE, HIGHEST_RATE);
        let at_most = bounded("at_most", at_most, MOST, MOST);
        if !errors.is_empty() {
            return Err(Problem::validation(errors));
        }
        let pace = Pace { per_second, at_most, within: AT_ONCE, after };
        Ok((Selection { consumer, reason, kind, cause }, pace))
    }
}

/// Hands the selected dead letters to their handlers once more, each once, those of a key in their order. It works for some
/// seconds and says where the next call goes on (`next`, to be sent as `after`); a call that is cut off is simply made again.
#[utoipa::path(
    post, path = "/v1/dead-letters/redrive", tag = "operations", request_body = Many,
    responses((status = 200, body = Value)), security(("bearer" = ["ops"]))
)]
async fn redrive_many(
    caller: Caller,
    State(kit): State<Kit>,
    State(topology): State<Topology>,
    Json(many): Json<Many>,
) -> Result<Json<Redriven>, Problem> {
    caller.require(Scope::Ops)?;
    let (selection, pace) = many.split()?;
    admit(&kit, Worth::Lesser)?;
    known(&mut *kit.pool().acquire().await?, pace.after).await?;
    let done = dead_letters::redrive_many(&kit, &topology, &selection, pace).await;
    done.map(Json).map_err(internal)
}

/// Gives the selected dead letters up for good, in the way in which `redrive` sends them again. At least one of `consumer`,
/// `reason`, `kind` and `cause` must be said.
#[utoipa::path(
    post, path = "/v1/dead-letters/discard", tag = "operations", request_body = Many,
    responses((status = 200, body = Value)), security(("bearer" = ["ops"]))
)]
async fn discard_many(
    caller: Caller,
    State(kit): State<Kit>,
    Json(many): Json<Many>,
) -> Result<Json<Discarded>, Problem> {
    caller.require(Scope::Ops)?;
    let (selection, pace) = many.split()?;
    if selection == Selection::default() {
        let message =
            "all dead letters at once are not given up: say which consumer, reason, kind or cause";
        return Err(Problem::validation(vec![FieldError::new("", "required", message)]));
    }
    // With the nil id a call goes on among what is no event.
    let after = pace.after.filter(|after| !after.is_nil());
    known(&mut *kit.pool().acquire().await?, after).await?;
    dead_letters::discard_many(&kit, &selection, pace).await.map(Json).map_err(internal)
}

/// Refuses to go on behind a letter that there is not, for nothing stands behind it: that would look like the end.
async fn known(connection: &mut PgConnection, after: Option<Uuid>) -> Result<(), Problem> {
    let Some(after) = after else { return Ok(()) };
    if dead_letters::exists(connection, after).await.map_err(internal)? {
        return Ok(());
    }
    let message = "there is no dead letter of this id to go on behind";
    Err(Problem::validation(vec![FieldError::new("after", "unknown", message)]))
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
/// Arrivals (λ), events in the queue (L) and the time that one stays (W): what each is made of stands in `docs/messaging.md`.
/// `little_ratio` is L ÷ λW and about one where all is seen. `consumers_needed` is how many consumers the load needs, none busier than
/// four fifths of the time.
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

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn internal(error: ::messaging::Error) -> Problem {
    Problem::internal_from(&error)
}

fn not_pending(id: Uuid) -> Problem {
    Problem::not_found(format_args!("pending dead letter {id}"))
}

fn unresolved(error: Unresolved) -> Problem {
    let detail = error.to_string();
    match error {
        Unresolved::NotPending(id) => not_pending(id),
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
        Unresolved::Kit(error) => internal(error),
    }
}

fn not_edited(error: NotEdited) -> Problem {
    let detail = error.to_string();
    let refused = |code, title| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title).detail(detail.clone())
    };
    match error {
        NotEdited::NotPending(id) => not_pending(id),
        NotEdited::NoEvent => {
            Problem::conflict("no_event", "The dead letter holds no event").detail(detail)
        }
        NotEdited::DoesNotFit(_) => {
            refused("does_not_fit", "The data does not fit the type of the event")
        }
        NotEdited::OtherKey { .. } => refused("other_key", "The data is about something else"),
        NotEdited::Kit(error) => internal(error),
    }
}
