//! `PATCH /v1/products/{id}`

use axum::{extract::State, http::StatusCode};
use messaging::{Criticality, Outbox};
use problem::{FieldError, IfMatch, Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use serde_json::Value;
use vocabulary::ProductId;

use super::{
    lock_product,
    merge_patch::merge,
    not_written,
    product_draft::ProductDraft,
    product_view::{ProductView, WrittenProduct},
};
use crate::{
    app::{self, ReplaceProductCommand},
    domain::Content,
};

/// Update parts of a product
///
/// The body is a JSON merge patch (RFC 7396) for the body of `PUT`: a member replaces, `null` removes, and a
/// list is replaced as a whole.
#[utoipa::path(
    patch, path = "/v1/products/{id}", tag = "products",
    request_body(content = Object, content_type = "application/merge-patch+json"),
    params(
        ("id" = ProductId, Path),
        ("If-Match" = Option<String>, Header, description = "The version to update"),
    ),
    responses(
        (status = 200, body = ProductView, headers(
            ("ETag" = String, description = "The version"),
            ("Change-Id" = String, description = "The change that this write made"),
        )),
        (status = 404, body = Problem, description = "`not_found`: the product does not exist, or was deleted"),
        (status = 409, body = Problem, description = "`sku_taken`: another product has one of the SKUs"),
        (status = 412, body = Problem, description = "`precondition_failed`: the product has another version"),
        (status = 422, body = Problem, description = "The patched product is invalid"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn update_product(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<ProductId>,
    if_match: Option<IfMatch>,
    Json(patch): Json<Value>,
) -> Result<WrittenProduct, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&outbox, Criticality::Deferrable)?;

    let mut tx = outbox.begin().await?;
    let current = lock_product(&mut tx, id, if_match).await?;
    let content = patched(current.content.clone(), patch)?;
    let replaced = app::replace_product(&mut tx, ReplaceProductCommand { current, content }).await;
    let (product, change) = replaced.map_err(not_written)?;
    tx.commit().await?;
    Ok(WrittenProduct { product, change: change.id })
}

fn patched(current: Content, patch: Value) -> Result<Content, Problem> {
    let mut value = serde_json::to_value(ProductDraft::from(current))
        .map_err(|error| Problem::internal_from(&error))?;
    merge(&mut value, patch);
    let draft: ProductDraft = serde_path_to_error::deserialize(value).map_err(|error| {
        // The root has the path `.`.
        let field = error.path().to_string();
        let field = if field == "." { String::new() } else { field };
        let error = FieldError::new(field, "invalid", error.inner().to_string());
        let title = "The body does not have the expected shape";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", title).errors(vec![error])
    })?;
    draft.into_content()
}
