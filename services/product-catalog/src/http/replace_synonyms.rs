//! `PUT /v1/synonyms`

use axum::extract::State;
use messaging::{Criticality, Outbox};
use problem::{ETag, IfMatch, Json, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};

use super::{
    not_valid, settings_not_written,
    synonym_list_view::{SynonymListDraft, SynonymListView},
};
use crate::{
    app::{self, ReplaceSynonymsCommand},
    domain::{SynonymDraft, validate_synonyms},
    storage::synonyms,
};

/// Replace the synonyms
///
/// The body is the whole list; searches apply it within a second. An equal list creates no version.
#[utoipa::path(
    put, path = "/v1/synonyms", tag = "search", request_body = SynonymListDraft,
    params(("If-Match" = Option<String>, Header, description = "The version to replace")),
    responses(
        (status = 200, body = SynonymListView, headers(("ETag" = String, description = "The version"))),
        (status = 412, body = Problem, description = "`precondition_failed`: the list has another version"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn replace_synonyms(
    caller: Caller,
    State(outbox): State<Outbox>,
    if_match: Option<IfMatch>,
    Json(draft): Json<SynonymListDraft>,
) -> Result<(ETag, Json<SynonymListView>), Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&outbox, Criticality::Deferrable)?;
    let drafts = draft.items.into_iter().map(SynonymDraft::from).collect();
    let synonyms = validate_synonyms(drafts).map_err(not_valid)?;

    let mut tx = outbox.begin().await?;
    let current = synonyms::lock(&mut tx).await?;
    if let Some(if_match) = if_match {
        if_match.check(current.version.get())?;
    }
    let command = ReplaceSynonymsCommand { current, synonyms };
    let list = app::replace_synonyms(&mut tx, command).await.map_err(settings_not_written)?;
    tx.commit().await?;
    Ok((ETag(list.version.get()), Json(list.into())))
}
