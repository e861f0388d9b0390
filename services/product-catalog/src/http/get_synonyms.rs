//! `GET /v1/synonyms`

use axum::extract::State;
use messaging::Outbox;
use problem::{ETag, Json, Problem};

use super::synonym_list_view::SynonymListView;
use crate::storage::synonyms;

/// Get the synonyms
///
/// `GET /v1/synonyms` of search-sync shows the list that searches apply.
#[utoipa::path(
    get, path = "/v1/synonyms", tag = "search",
    responses(
        (status = 200, body = SynonymListView, headers(("ETag" = String, description = "The version"))),
    )
)]
pub(super) async fn get_synonyms(
    State(outbox): State<Outbox>,
) -> Result<(ETag, Json<SynonymListView>), Problem> {
    let mut connection = outbox.pool().acquire().await?;
    let list = synonyms::find(&mut connection).await?;
    Ok((ETag(list.version.get()), Json(list.into())))
}
