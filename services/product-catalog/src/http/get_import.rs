//! `GET /v1/imports/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use vocabulary::ImportId;

use super::import_view::ImportView;

/// Get the progress of an import
#[utoipa::path(
    get, path = "/v1/imports/{id}", tag = "imports", params(("id" = ImportId, Path)),
    responses((status = 200, body = ImportView), (status = 404, body = Problem))
)]
pub(super) async fn get_import(
    State(outbox): State<Outbox>,
    Path(id): Path<ImportId>,
) -> Result<Json<ImportView>, Problem> {
    let mut connection = outbox.pool().acquire().await?;
    let import = ImportView::read(&mut connection, id).await?;
    Ok(Json(import.ok_or_else(|| Problem::not_found(format_args!("import {id}")))?))
}
