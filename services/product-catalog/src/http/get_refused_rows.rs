//! `GET /v1/imports/{id}/refused.csv`

use axum::{
    extract::State,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use messaging::Outbox;
use problem::{Path, Problem};
use vocabulary::ImportId;

use crate::{
    domain::{FileLayout, refused_file},
    storage::imports,
};

/// Get the refused rows of an import as a file
///
/// The first 1,000 refused rows as they were sent, with line and reason. Correct them and send the file again:
/// `refused_line` and `refused_reason` are passed over. A cell that a spreadsheet would read as a formula begins
/// with an apostrophe.
#[utoipa::path(
    get, path = "/v1/imports/{id}/refused.csv", tag = "imports", params(("id" = ImportId, Path)),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404, body = Problem))
)]
pub(super) async fn get_refused_rows(
    State(outbox): State<Outbox>,
    Path(id): Path<ImportId>,
) -> Result<Response, Problem> {
    let mut connection = outbox.pool().acquire().await?;
    let progress = imports::progress(&mut connection, id).await?;
    let progress = progress.ok_or_else(|| Problem::not_found(format_args!("import {id}")))?;
    let rows = imports::refused_sources(&mut connection, id).await?;
    let header = progress.layout.as_ref().map(FileLayout::names);
    let disposition = format!("attachment; filename=\"refused-{id}.csv\"");
    let headers =
        [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, disposition)];
    Ok((headers, refused_file(header.as_deref(), &rows)).into_response())
}
