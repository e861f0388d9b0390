//! Receives the body of an import, and stores its rows while it arrives.

use std::time::Duration;

use axum::{body::Body, http::StatusCode};
use envelope::trace;
use futures::StreamExt as _;
use problem::Problem;
use runtime::clock;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tokio::{sync::mpsc, task::spawn_blocking, time::timeout};
use vocabulary::ImportId;

use super::file_problem::file_problem;
use crate::{
    domain::{FileLayout, InvalidFile, ProductFile, ReceivedImport, Row, RowSplitter, Workbook},
    storage::imports,
};

/// The maximum size of a body, in bytes. It is stored while it arrives.
const MAX_BODY: usize = 1024 * 1024 * 1024;
/// The maximum wait for the next bytes of a body.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A chunk is stored when it has this many bytes or rows.
const CHUNK_BYTES: usize = 1024 * 1024;
const CHUNK_ROWS: usize = 1_000;

/// The number of groups of rows that wait between the reader of a workbook and the database.
const ROW_QUEUE: usize = 4;

/// A body whose rows are stored. It becomes an import with the next transaction.
pub(super) struct Upload {
    pub(super) import: ReceivedImport,
    /// The SHA-256 of the body.
    pub(super) digest: [u8; 32],
}

/// Divides a body into rows.
pub(super) enum BodyReader {
    Ndjson(RowSplitter),
    File(Box<ProductFile>),
    Workbook(Workbook),
}

/// Receives a body, and stores its rows chunk by chunk.
pub(super) async fn receive(
    pool: &PgPool,
    id: ImportId,
    reader: BodyReader,
    body: Body,
) -> Result<Upload, Problem> {
    let mut receiver = Receiver::new(reader);
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
    let (layout, warnings) = receiver.finish(pool, id).await?;
    receiver.store(pool, id).await?;
    let Receiver { received: rows, chunks, .. } = receiver;
    let traceparent = trace::current().map(|context| context.to_string());
    let received_at = clock::now();
    let dry_run = false;
    let import =
        ReceivedImport { id, layout, warnings, dry_run, rows, chunks, traceparent, received_at };
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

/// Divides a body into rows, and holds the rows that are not stored yet.
struct Receiver {
    /// None after the end of the body.
    reader: Option<BodyReader>,
    ready: Vec<Row>,
    ready_bytes: usize,
    received: i64,
    chunks: i32,
}

impl Receiver {
    fn new(reader: BodyReader) -> Self {
        Self { reader: Some(reader), ready: Vec::new(), ready_bytes: 0, received: 0, chunks: 0 }
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let before = self.ready.len();
        match &mut self.reader {
            Some(BodyReader::Ndjson(splitter)) => splitter.push(piece, &mut self.ready),
            Some(BodyReader::File(file)) => {
                file.push(piece, &mut self.ready).map_err(file_problem)?;
            }
            Some(BodyReader::Workbook(workbook)) => workbook.push(piece).map_err(file_problem)?,
            None => {}
        }
        self.ready_bytes += self.ready[before..].iter().map(|row| row.bytes.len()).sum::<usize>();
        Ok(())
    }

    /// Ends the body. Returns the layout of a file, and its warnings.
    async fn finish(
        &mut self,
        pool: &PgPool,
        id: ImportId,
    ) -> Result<(Option<FileLayout>, Vec<String>), Problem> {
        match self.reader.take() {
            Some(BodyReader::Ndjson(splitter)) => {
                splitter.finish(&mut self.ready);
                if self.ready.is_empty() && self.received == 0 {
                    return Err(file_problem(InvalidFile::Empty));
                }
            }
            Some(BodyReader::File(file)) => {
                let (layout, warnings) = file.finish(&mut self.ready).map_err(file_problem)?;
                return Ok((Some(layout), warnings));
            }
            Some(BodyReader::Workbook(workbook)) => {
                let (layout, warnings) = self.read_workbook(pool, id, workbook).await?;
                return Ok((Some(layout), warnings));
            }
            None => {}
        }
        Ok((None, Vec::new()))
    }

    /// Reads a complete workbook on another thread, and stores its rows meanwhile.
    async fn read_workbook(
        &mut self,
        pool: &PgPool,
        id: ImportId,
        workbook: Workbook,
    ) -> Result<(FileLayout, Vec<String>), Problem> {
        let (sender, mut rows) = mpsc::channel(ROW_QUEUE);
        // Reading stops when the receiver is dropped.
        let reading =
            spawn_blocking(move || workbook.read(|rows| sender.blocking_send(rows).is_ok()));
        while let Some(rows) = rows.recv().await {
            self.ready_bytes += rows.iter().map(|row: &Row| row.bytes.len()).sum::<usize>();
            self.ready.extend(rows);
            if self.is_full() {
                self.store(pool, id).await?;
            }
        }
        // The library may panic at a file that was made to break it.
        let unreadable = || InvalidFile::NotText("a workbook that cannot be read".to_owned());
        reading.await.unwrap_or_else(|_| Err(unreadable())).map_err(file_problem)
    }

    fn is_full(&self) -> bool {
        self.ready.len() >= CHUNK_ROWS || self.ready_bytes >= CHUNK_BYTES
    }

    /// Stores the rows in chunks. The end of a file may complete many products at once.
    async fn store(&mut self, pool: &PgPool, id: ImportId) -> Result<(), Problem> {
        let rows = std::mem::take(&mut self.ready);
        self.ready_bytes = 0;
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chunk_length(rest));
            let mut connection = pool.acquire().await?;
            imports::append_chunk(&mut connection, id, self.chunks, chunk).await?;
            self.received += i64::try_from(chunk.len()).unwrap_or(i64::MAX);
            self.chunks += 1;
            rest = after;
        }
        Ok(())
    }
}

/// The number of rows in the next chunk, at least one.
fn chunk_length(rows: &[Row]) -> usize {
    let mut bytes = 0;
    let fits = rows.iter().take(CHUNK_ROWS).take_while(|row| {
        bytes += row.bytes.len();
        bytes <= CHUNK_BYTES
    });
    fits.count().max(1)
}
