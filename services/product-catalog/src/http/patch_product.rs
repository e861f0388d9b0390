use axum::extract::State;
use axum::http::StatusCode;
use messaging::{Kit, Worth};
use problem::{FieldError, IfMatch, Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use runtime::clock;
use runtime::messaging::admit;
use serde_json::Value;
use vocabulary::ProductId;

use super::product::{Product, Written};
use super::{internal, not_valid, not_written};
use crate::domain::{Content, Draft, merge};
use crate::storage::products;
use crate::writing;

/// Changes parts of a product.
///
/// The body is a JSON merge patch (RFC 7396) against what `PUT` takes: members replace, `null` takes away, lists are
/// replaced as a whole.
#[utoipa::path(
    patch, path = "/v1/products/{id}", tag = "products",
    request_body(content = Object, content_type = "application/merge-patch+json"),
    params(
        ("id" = uuid::Uuid, Path),
        ("If-Match" = Option<String>, Header, description = "The version that the change rests upon"),
    ),
    responses(
        (status = 200, body = Product, headers(
            ("ETag" = String, description = "The version"),
            ("Change-Id" = String, description = "The change that this write made"),
        )),
        (status = 404, body = Problem, description = "There is none, or it is deleted"),
        (status = 409, body = Problem, description = "`sku_taken`: another product has one of the SKUs"),
        (status = 412, body = Problem, description = "The product has another version by now"),
        (status = 422, body = Problem, description = "What comes out of it is no product"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn patch_product(
    caller: Caller,
    State(kit): State<Kit>,
    Path(id): Path<ProductId>,
    if_match: Option<IfMatch>,
    Json(patch): Json<Value>,
) -> Result<Written, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&kit, Worth::Lesser)?;

    let mut tx = kit.begin().await.map_err(internal)?;
    let current = products::lock(&mut tx, id).await?;
    let current = current.ok_or_else(|| Problem::not_found(format_args!("product {id}")))?;
    if let Some(if_match) = if_match {
        if_match.check(current.version.get())?;
    }
    let content = patched(&current.content, patch)?;
    let written = writing::replace(&mut tx, current, content, clock::now()).await;
    let (product, change) = written.map_err(not_written)?;
    tx.commit().await.map_err(internal)?;
    Ok(Written { product, change: change.id })
}

fn patched(current: &Content, patch: Value) -> Result<Content, Problem> {
    let mut value =
        serde_json::to_value(current).map_err(|error| Problem::internal_from(&error))?;
    merge(&mut value, patch);
    let draft: Draft = serde_path_to_error::deserialize(value).map_err(|error| {
        // The path of the whole is written as a dot.
        let field = error.path().to_string();
        let field = if field == "." { String::new() } else { field };
        let error = FieldError::new(field, "invalid", error.inner().to_string());
        let title = "The body does not have the expected shape";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", title).errors(vec![error])
    })?;
    draft.check().map_err(not_valid)
}
