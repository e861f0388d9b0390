//! `PUT /v1/products/{id}`

use axum::extract::State;
use messaging::{Criticality, Outbox};
use problem::{IfMatch, Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use vocabulary::ProductId;

use super::{
    lock_product, not_written,
    product_draft::ProductDraft,
    product_view::{ProductView, WrittenProduct},
};
use crate::app::{self, ReplaceProductCommand};

/// Replace a product
///
/// Absent fields become empty. Equal content creates no version.
#[utoipa::path(
    put, path = "/v1/products/{id}", tag = "products", request_body = ProductDraft,
    params(
        ("id" = ProductId, Path),
        ("If-Match" = Option<String>, Header, description = "The version to replace"),
    ),
    responses(
        (status = 200, body = ProductView, headers(
            ("ETag" = String, description = "The version"),
            ("Change-Id" = String, description = "The change that this write made"),
        )),
        (status = 404, body = Problem, description = "`not_found`: the product does not exist, or was deleted"),
        (status = 409, body = Problem, description = "`sku_taken`: another product has one of the SKUs"),
        (status = 412, body = Problem, description = "`precondition_failed`: the product has another version"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn replace_product(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<ProductId>,
    if_match: Option<IfMatch>,
    Json(draft): Json<ProductDraft>,
) -> Result<WrittenProduct, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&outbox, Criticality::Deferrable)?;
    let content = draft.into_content()?;

    let mut tx = outbox.begin().await?;
    let current = lock_product(&mut tx, id, if_match).await?;
    let replaced = app::replace_product(&mut tx, ReplaceProductCommand { current, content }).await;
    let (product, change) = replaced.map_err(not_written)?;
    tx.commit().await?;
    Ok(WrittenProduct { product, change: change.id })
}
