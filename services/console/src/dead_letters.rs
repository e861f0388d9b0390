//! The dead letters of all services in one list, and the door through which an operator deals with them.
//!
//! Each service keeps its own and has its own routes for them; here they are asked for with the operator's own token, so that
//! the console can do nothing that its caller could not.

use std::time::Duration;

use axum::{
    Json,
    extract::{FromRef, Request, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
    routing::any,
};
use futures::future::join_all;
use problem::{Problem, Query};
use reqwest::Url;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    config::{Services, under},
    ops::{Operator, Ops},
    proxy::Proxy,
};

/// Where a service keeps its dead letters.
const ROUTE: &str = "/v1/dead-letters";
/// What stands before the name of a service here.
const PREFIX: &str = "/ops/dead-letters/";
/// How long a service may take to list them.
const ANSWER: Duration = Duration::from_secs(3);
/// How many of all are listed unless the caller says otherwise, and at most.
const USUAL: usize = 50;
const MOST: usize = 500;

/// What the routes need.
#[derive(Clone)]
pub struct DeadLetters {
    /// Where the services are.
    pub services: Services,
    /// Lists are asked for with it.
    pub client: reqwest::Client,
    /// Everything else is handed on through it.
    pub proxy: Proxy,
}

impl FromRef<Ops> for DeadLetters {
    fn from_ref(ops: &Ops) -> DeadLetters {
        ops.letters.clone()
    }
}

/// Which dead letters to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Selection {
    /// Those too that have been dealt with.
    #[serde(default)]
    all: bool,
    /// How many at most, newest first; 1 to 500, 50 unless said.
    limit: Option<usize>,
}

/// The dead letters of all services.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Listed {
    /// How many nobody has dealt with yet, in the services that answered.
    pending: i64,
    /// How many each service has.
    services: Vec<Counted>,
    /// The letters as their services show them, newest first, each with the name of its `service`.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Map<String, Value>>,
}

/// The dead letters of one service, counted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Counted {
    /// The service.
    name: &'static str,
    /// How many nobody has dealt with yet; none where the service does not answer.
    pending: Option<i64>,
}

/// What a service answers about its letters.
#[derive(Deserialize)]
struct Answered {
    items: Vec<Map<String, Value>>,
    pending: i64,
}

/// What a service answers about its groups.
#[derive(Deserialize)]
struct AnsweredGroups {
    items: Vec<Map<String, Value>>,
}

/// `GET /ops/dead-letters` and its groups, and what is handed on below it.
pub(crate) fn router() -> OpenApiRouter<Ops> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(groups))
        .route("/ops/dead-letters/{service}", any(hand_on))
        .route("/ops/dead-letters/{service}/{*rest}", any(hand_on))
}

/// What could not be handled anywhere in the suite.
///
/// A service that does not answer has no count; the others are shown all the same. From `/ops/dead-letters/{service}` on the
/// routes are the service's own, such as `GET …/{id}`, `POST …/{id}/redrive` or `POST …/discard`.
#[utoipa::path(
    get, path = "/ops/dead-letters", tag = "ops", params(Selection),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Listed),
        (status = 401, description = "No token, or none that is good", body = Problem),
        (status = 403, description = "The token lacks the scope `ops`", body = Problem),
    )
)]
async fn list(
    _: Operator,
    State(letters): State<DeadLetters>,
    Query(selection): Query<Selection>,
    headers: HeaderMap,
) -> Response {
    let limit = selection.limit.unwrap_or(USUAL).clamp(1, MOST);
    let token = headers.get(header::AUTHORIZATION);
    let asked = letters.services.each().map(async |(name, base)| {
        let mut url = under(base, ROUTE);
        url.set_query(Some(&format!("limit={limit}&all={}", selection.all)));
        (name, letters.ask(name, url, token).await)
    });
    let (mut services, mut items) = (Vec::new(), Vec::new());
    for (name, answered) in join_all(asked).await {
        let answered: Option<Answered> = answered;
        services
            .push(Counted { name, pending: answered.as_ref().map(|answered| answered.pending) });
        items.extend(answered.into_iter().flat_map(|answered| answered.items).map(|mut letter| {
            letter.insert("service".to_owned(), name.into());
            letter
        }));
    }
    // Times of one form, in UTC, sort as text does.
    let died = |letter: &Map<String, Value>| letter.get("died_at").map(Value::to_string);
    items.sort_by_key(|letter| std::cmp::Reverse(died(letter)));
    items.truncate(limit);
    let pending = services.iter().filter_map(|counted| counted.pending).sum();
    ([(header::CACHE_CONTROL, "no-store")], Json(Listed { pending, services, items }))
        .into_response()
}

/// The groups of all services.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Groups {
    /// The groups as their services show them, the largest first, each with the name of its `service`.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Map<String, Value>>,
}

/// What could not be handled anywhere in the suite, grouped by consumer, reason, event type and cause. A service that does not
/// answer has none.
#[utoipa::path(
    get, path = "/ops/dead-letters/groups", tag = "ops", security(("bearer" = [])),
    responses(
        (status = 200, body = Groups),
        (status = 401, description = "No token, or none that is good", body = Problem),
        (status = 403, description = "The token lacks the scope `ops`", body = Problem),
    )
)]
async fn groups(_: Operator, State(letters): State<DeadLetters>, headers: HeaderMap) -> Response {
    let token = headers.get(header::AUTHORIZATION);
    let asked = letters.services.each().map(async |(name, base)| {
        let answered: Option<AnsweredGroups> =
            letters.ask(name, under(base, &format!("{ROUTE}/groups")), token).await;
        (name, answered)
    });
    let of_service = |(name, answered): (&'static str, Option<AnsweredGroups>)| {
        answered.into_iter().flat_map(|answered| answered.items).map(move |mut group| {
            group.insert("service".to_owned(), name.into());
            group
        })
    };
    let mut items: Vec<_> = join_all(asked).await.into_iter().flat_map(of_service).collect();
    let count = |group: &Map<String, Value>| group.get("count").and_then(Value::as_i64);
    items.sort_by_key(|group| std::cmp::Reverse(count(group)));
    ([(header::CACHE_CONTROL, "no-store")], Json(Groups { items })).into_response()
}

impl DeadLetters {
    async fn ask<T: DeserializeOwned>(
        &self,
        name: &str,
        url: Url,
        token: Option<&HeaderValue>,
    ) -> Option<T> {
        let mut asking = self.client.get(url).timeout(ANSWER);
        if let Some(token) = token {
            asking = asking.header(header::AUTHORIZATION, token);
        }
        let answered = async { asking.send().await?.error_for_status()?.json().await }.await;
        answered
            .inspect_err(|error: &reqwest::Error| {
                tracing::debug!(service = name, error = problem::chain(error), "letters not known");
            })
            .ok()
    }
}

/// Hands `/ops/dead-letters/{service}…` on to the service's own `/v1/dead-letters/…`.
async fn hand_on(
    _: Operator,
    State(letters): State<DeadLetters>,
    request: Request,
) -> Result<Response, Problem> {
    // Cut by hand, as the proxy does: what is escaped stays escaped.
    let path = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let (service, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let (service, path) = (service.to_owned(), format!("{ROUTE}{rest}"));
    letters.proxy.hand_on(&service, &path, request).await
}
