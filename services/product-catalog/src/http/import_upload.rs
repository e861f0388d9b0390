//! Receives the body of an import, and stores its rows while it arrives.

use std::time::Duration;

use axum::{body::Body, http::StatusCode};
use envelope::trace;
use futures::StreamExt as _;
use problem::{FieldError, Problem};
use runtime::clock;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tokio::time::timeout;
use vocabulary::ImportId;

use crate::{
    domain::{Columns, ImportFormat, ReceivedImport, Row, RowGrouper, RowSplitter},
    storage::imports,
};

/// The maximum size of a body, in bytes.
const MAX_BODY: usize = 200 * 1024 * 1024;
/// The maximum wait for the next bytes of a body.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A chunk is stored when it has this many bytes or rows.
const CHUNK_BYTES: usize = 1024 * 1024;
const CHUNK_ROWS: usize = 1_000;

/// A body whose rows are stored. It becomes an import with the next transaction.
pub(super) struct Upload {
    pub(super) import: ReceivedImport,
    /// The SHA-256 of the body.
    pub(super) digest: [u8; 32],
}

/// Receives a body, and stores its rows chunk by chunk.
pub(super) async fn receive(
    pool: &PgPool,
    id: ImportId,
    format: ImportFormat,
    body: Body,
) -> Result<Upload, Problem> {
    let mut receiver = Receiver::new(format);
    let (mut pieces, mut size, mut digest) = (body.into_data_stream(), 0_usize, Sha256::new());
    let unreadable = || Problem::bad_request("unreadable_body", "The body could not be read");
    loop {
        let piece = timeout(READ_TIMEOUT, pieces.next()).await.map_err(|_| {
            let seconds = READ_TIMEOUT.as_secs();
            unreadable().detail(format!("No data arrived for {seconds} seconds."))
        })?;
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|_| unreadable())?;
        size += piece.len();
        if size > MAX_BODY {
            let (status, title) = (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large");
            let limit = format!("The limit is {MAX_BODY} bytes; split the file.");
            return Err(Problem::new(status, "body_too_large", title).detail(limit));
        }
        digest.update(&piece);
        receiver.push(&piece)?;
        if receiver.is_full() {
            receiver.store(pool, id).await?;
        }
    }
    receiver.finish()?;
    receiver.store(pool, id).await?;
    let Receiver { header, received: rows, chunks, .. } = receiver;
    let traceparent = trace::current().map(|context| context.to_string());
    let received_at = clock::now();
    let import = ReceivedImport { id, header, rows, chunks, traceparent, received_at };
    Ok(Upload { import, digest: digest.finalize().into() })
}

/// Deletes the rows of an upload. If that fails, retention deletes them later.
pub(super) async fn discard(pool: &PgPool, id: ImportId) {
    let discard = async {
        let mut connection = pool.acquire().await?;
        imports::discard_upload(&mut connection, id).await
    };
    if let Err(error) = discard.await {
        tracing::warn!(error = problem::chain(&error), "failed to discard an upload");
    }
}

/// Splits a body into rows, and holds the rows that are not stored yet.
struct Receiver {
    format: ImportFormat,
    splitter: Option<RowSplitter>,
    /// Groups the rows of a CSV body; present after its header.
    grouper: Option<RowGrouper>,
    header: Option<Vec<u8>>,
    /// Rows that are not grouped yet; empty between two pieces.
    split: Vec<Row>,
    ready: Vec<Row>,
    ready_bytes: usize,
    received: i64,
    chunks: i32,
}

impl Receiver {
    fn new(format: ImportFormat) -> Self {
        Self {
            format,
            splitter: Some(RowSplitter::new(format == ImportFormat::Csv)),
            grouper: None,
            header: None,
            split: Vec::new(),
            ready: Vec::new(),
            ready_bytes: 0,
            received: 0,
            chunks: 0,
        }
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), Problem> {
        if let Some(splitter) = &mut self.splitter {
            splitter.push(piece, &mut self.split);
        }
        self.group()
    }

    fn finish(&mut self) -> Result<(), Problem> {
        if let Some(splitter) = self.splitter.take() {
            splitter.finish(&mut self.split);
        }
        self.group()?;
        if let Some(grouper) = self.grouper.take() {
            grouper.finish(&mut self.ready);
        }
        if self.format == ImportFormat::Csv && self.header.is_none() {
            return Err(invalid_header("the file is empty"));
        }
        Ok(())
    }

    fn group(&mut self) -> Result<(), Problem> {
        let before = self.ready.len();
        for row in self.split.drain(..) {
            match (self.format, &mut self.grouper) {
                (ImportFormat::Ndjson, _) => self.ready.push(row),
                (ImportFormat::Csv, Some(grouper)) => grouper.push(row, &mut self.ready),
                (ImportFormat::Csv, None) => {
                    let columns = Columns::parse(&row.bytes);
                    let columns = columns.map_err(|error| invalid_header(&error.to_string()))?;
                    self.grouper = Some(RowGrouper::new(columns));
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
    let title = "The header of the CSV file is not valid";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_header", title)
        .errors(vec![FieldError::new("", "invalid", reason)])
}
