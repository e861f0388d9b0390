//! Records what staff write through the console.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header::AUTHORIZATION},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use problem::Problem;
use runtime::{
    auth::{Caller, Verifier},
    clients::Client,
    clock,
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    domain::Account,
    storage::actions::{self, NewAction},
};

/// The routes with which staff change something. Those of staff accounts record more than the request.
const PREFIXES: [&str; 2] = ["/api/", "/ops/"];

/// The longest path that is recorded, in bytes.
const MAX_PATH: usize = 512;

/// The prefix of the subjects of another issuer.
const FOREIGN_PREFIX: &str = "oidc:";

/// What is needed to record actions.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) pool: Option<PgPool>,
    pub(crate) verifier: Option<Verifier>,
}

/// Records each write with a token of staff before it is forwarded, and the status of its answer. A write that cannot be
/// recorded is refused.
pub(crate) async fn record(
    State(recorder): State<Recorder>,
    request: Request,
    next: Next,
) -> Response {
    let Some(pool) = &recorder.pool else { return next.run(request).await };
    let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    let path = request.uri().path();
    let is_recorded = !is_safe && PREFIXES.iter().any(|prefix| path.starts_with(prefix));
    let subject = recorder.staff(request.headers()).filter(|_| is_recorded);
    let Some(subject) = subject else { return next.run(request).await };
    let address = Client::of(request.extensions()).counted_address();
    let action = NewAction {
        subject: Some(&subject),
        action: "request",
        method: Some(request.method().as_str()),
        path: Some(&path[..path.floor_char_boundary(MAX_PATH)]),
        address: address.map(|address| address.to_string()),
        ..NewAction::default()
    };
    let id = match insert(pool, &action).await {
        Ok(Some(id)) => id,
        Ok(None) => return Problem::unauthorized("The account is disabled.").into_response(),
        Err(error) => return Problem::from(error).into_response(),
    };
    let response = next.run(request).await;
    let status = i16::try_from(response.status().as_u16()).unwrap_or_default();
    if let Err(error) = set_status(pool, id, status).await {
        tracing::warn!(error = problem::chain(&error), %id, "failed to record the status of an action");
    }
    response
}

impl Recorder {
    /// The subject of a token of staff. Handlers refuse tokens that are not valid.
    fn staff(&self, headers: &HeaderMap) -> Option<String> {
        let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (_, token) = header.split_once(' ')?;
        let caller: Caller = self.verifier.as_ref()?.verify(token.trim()).ok()?;
        let subject = caller.subject();
        let is_staff = Account::id_of(subject).is_some() || subject.starts_with(FOREIGN_PREFIX);
        is_staff.then(|| subject.to_owned())
    }
}

async fn insert(pool: &PgPool, action: &NewAction<'_>) -> Result<Option<Uuid>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    actions::insert(&mut connection, action, clock::now()).await
}

async fn set_status(pool: &PgPool, id: Uuid, status: i16) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    actions::set_status(&mut connection, id, status).await
}
