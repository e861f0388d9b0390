use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use contracts::trace;
use futures::StreamExt as _;
use idempotency::{Answer, Claim, Request};
use messaging::{Kit, Worth};
use problem::{FieldError, IdempotencyKey, Problem};
use runtime::auth::{Caller, Scope};
use runtime::clock;
use runtime::messaging::admit;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use vocabulary::ImportId;

use super::internal;
use super::read_import::{Import, find};
use crate::domain::{Columns, Groups, Row, Rows};
use crate::importing::Wake;
use crate::storage::imports::{self, Arrived};

/// The largest body, in bytes.
const MAX_BODY: usize = 200 * 1024 * 1024;
/// How many bodies are taken in at once; each holds about a megabyte.
const MAX_UPLOADS: usize = 4;
/// How long the next piece of a body may take.
const SILENCE: Duration = Duration::from_secs(30);
/// A chunk is stored when it has this many bytes, or rows.
const CHUNK_BYTES: usize = 1024 * 1024;
const CHUNK_ROWS: usize = 1_000;

/// The places for bodies that are being taken in. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Uploads(Arc<Semaphore>);

impl Default for Uploads {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_UPLOADS)))
    }
}

/// Takes in many products at once.
///
/// The body has one product per line (`application/x-ndjson`, as `POST /v1/products` takes it; lines of the export do, too),
/// or is CSV (`text/csv`) with the columns `sku`, `title_zh`, `title_en`, `description_zh`, `description_en`, `brand`,
/// `category`, `status`, `price` (major units: `129.00`), `currency`, `barcode`, `images`, `attr.<name>`, `option.<name>` and
/// `product`: neighbouring rows with the same `product` are its variants. At most 200 MiB.
///
/// A product is known by its SKUs: where one of them exists, its product gets the new content, else there is a new product.
/// Where a SKU stands there twice, the later row counts. The answer comes as soon as the body is stored; the rest is done
/// behind it, whatever happens.
#[utoipa::path(
    post, path = "/v1/imports", tag = "imports",
    request_body(content((String = "application/x-ndjson"), (String = "text/csv"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key, the same import")),
    responses(
        (status = 202, body = Import, headers(("Location" = String, description = "Where the import is followed"))),
        (status = 413, body = Problem, description = "`body_too_large`"),
        (status = 415, body = Problem, description = "`unsupported_media_type`: neither NDJSON nor CSV"),
        (status = 422, body = Problem, description = "`invalid_header`: the first line of a CSV body"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn start_import(
    caller: Caller,
    State(kit): State<Kit>,
    State(uploads): State<Uploads>,
    State(wake): State<Wake>,
    key: Option<IdempotencyKey>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&kit, Worth::Lesser)?;
    let format = format_of(&headers)?;
    let _place = uploads.0.try_acquire().map_err(|_| {
        Problem::unavailable("too_many_uploads", Duration::from_secs(5))
            .detail("Other imports are being taken in.")
    })?;
    let id = ImportId::new();
    let accepted = async {
        let received = receive(kit.pool(), id, format, body).await?;
        accept(&kit, &caller, key.as_ref(), received).await
    };
    let (answer, is_new) = match accepted.await {
        Ok(accepted) => accepted,
        Err(problem) => {
            discard(kit.pool(), id).await;
            return Err(problem);
        }
    };
    if is_new {
        wake.wake();
    } else {
        discard(kit.pool(), id).await;
    }
    Ok(answer.into_response())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Csv,
}

fn format_of(headers: &HeaderMap) -> Result<Format, Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines" => Ok(Format::Ndjson),
        "text/csv" => Ok(Format::Csv),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body must be NDJSON or CSV",
        )
        .detail("Send it with Content-Type: application/x-ndjson or text/csv.")),
    }
}

/// What has arrived and is stored, but is no import yet.
struct Received {
    import: Arrived,
    /// Of all the bytes; the same body has the same.
    digest: [u8; 32],
}

/// Takes in the body and stores its rows, a chunk at a time.
async fn receive(
    pool: &PgPool,
    id: ImportId,
    format: Format,
    body: Body,
) -> Result<Received, Problem> {
    let mut receiver = Receiver::new(format);
    let (mut pieces, mut size, mut digest) = (body.into_data_stream(), 0_usize, Sha256::new());
    loop {
        let piece = timeout(SILENCE, pieces.next()).await.map_err(|_| {
            let silence = format!("Nothing came for {} seconds.", SILENCE.as_secs());
            Problem::bad_request("unreadable_body", "The body could not be read").detail(silence)
        })?;
        let Some(piece) = piece else { break };
        let piece = piece
            .map_err(|_| Problem::bad_request("unreadable_body", "The body could not be read"))?;
        size += piece.len();
        if size > MAX_BODY {
            let limit = format!("At most {MAX_BODY} bytes are taken; divide it.");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(
                Problem::new(status, "body_too_large", "The body is too large").detail(limit)
            );
        }
        digest.update(&piece);
        receiver.push(&piece)?;
        if receiver.is_full() {
            receiver.store(pool, id).await?;
        }
    }
    receiver.finish()?;
    receiver.store(pool, id).await?;
    let Receiver { header, received, chunks, .. } = receiver;
    let traceparent = trace::current().map(|context| context.to_string());
    let at = clock::now();
    let import = Arrived { id, header, rows: received, chunks, traceparent, at };
    Ok(Received { import, digest: digest.finalize().into() })
}

/// Makes what was received an import, once per key. Answers whether it is a new one.
async fn accept(
    kit: &Kit,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    received: Received,
) -> Result<(Answer, bool), Problem> {
    let Received { import, digest } = received;
    let mut tx = kit.begin().await.map_err(internal)?;
    let request =
        Request { caller: caller.subject(), operation: "start_import", key, body: &digest };
    let claim = match idempotency::claim(&mut tx, request).await? {
        Claim::Replay(answer) => return Ok((answer, false)),
        Claim::Acquired(claim) => claim,
    };
    imports::insert(&mut tx, &import).await?;
    let location = format!("/v1/imports/{}", import.id);
    let body = find(&mut tx, import.id).await?;
    let answer = Answer::json(StatusCode::ACCEPTED, &body)?.header("location", location);
    claim.record(&mut tx, &answer).await?;
    tx.commit().await.map_err(internal)?;
    Ok((answer, true))
}

/// Gives up what was stored of a body. Where that fails it is done later, with all that never became an import.
async fn discard(pool: &PgPool, id: ImportId) {
    let discarding = async {
        let mut connection = pool.acquire().await?;
        imports::discard_upload(&mut connection, id).await
    };
    if let Err(error) = discarding.await {
        tracing::warn!(error = problem::chain(&error), "an upload could not be discarded");
    }
}

/// Divides a body into rows, and holds those that are not stored yet.
struct Receiver {
    format: Format,
    rows: Option<Rows>,
    /// Groups the rows of a CSV body, once its header is known.
    groups: Option<Groups>,
    header: Option<Vec<u8>>,
    /// Rows out of which nothing has been made yet; empty between two pieces.
    raw: Vec<Row>,
    ready: Vec<Row>,
    ready_bytes: usize,
    received: i64,
    chunks: i32,
}

impl Receiver {
    fn new(format: Format) -> Self {
        Self {
            format,
            rows: Some(Rows::new(format == Format::Csv)),
            groups: None,
            header: None,
            raw: Vec::new(),
            ready: Vec::new(),
            ready_bytes: 0,
            received: 0,
            chunks: 0,
        }
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), Problem> {
        if let Some(rows) = &mut self.rows {
            rows.push(piece, &mut self.raw);
        }
        self.sort_out()
    }

    fn finish(&mut self) -> Result<(), Problem> {
        if let Some(rows) = self.rows.take() {
            rows.finish(&mut self.raw);
        }
        self.sort_out()?;
        if let Some(groups) = self.groups.take() {
            groups.finish(&mut self.ready);
        }
        if self.format == Format::Csv && self.header.is_none() {
            return Err(invalid_header("there is none"));
        }
        Ok(())
    }

    fn sort_out(&mut self) -> Result<(), Problem> {
        let before = self.ready.len();
        for row in self.raw.drain(..) {
            match (self.format, &mut self.groups) {
                (Format::Ndjson, _) => self.ready.push(row),
                (Format::Csv, Some(groups)) => groups.push(row, &mut self.ready),
                (Format::Csv, None) => {
                    let columns = Columns::read(&row.bytes);
                    let columns = columns.map_err(|error| invalid_header(&error.to_string()))?;
                    self.groups = Some(Groups::new(columns));
                    self.header = Some(row.bytes);
                }
            }
        }
        self.ready_bytes += self.ready[before..].iter().map(|row| row.bytes.len()).sum::<usize>();
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.ready.len() >= CHUNK_ROWS || self.ready_bytes >= CHUNK_BYTES
    }

    async fn store(&mut self, pool: &PgPool, id: ImportId) -> Result<(), Problem> {
        if self.ready.is_empty() {
            return Ok(());
        }
        let mut connection = pool.acquire().await?;
        imports::append_chunk(&mut connection, id, self.chunks, &self.ready).await?;
        self.received += i64::try_from(self.ready.len()).unwrap_or(i64::MAX);
        self.chunks += 1;
        self.ready.clear();
        self.ready_bytes = 0;
        Ok(())
    }
}

fn invalid_header(reason: &str) -> Problem {
    let title = "The first line is no header";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_header", title)
        .errors(vec![FieldError::new("", "invalid", reason)])
}
