use axum::extract::State;
use messaging::{Kit, Worth};
use problem::{IfMatch, Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use runtime::clock;
use runtime::messaging::admit;
use vocabulary::ProductId;

use super::product::{Product, Written};
use super::{internal, not_valid, not_written};
use crate::domain::Draft;
use crate::storage::products;
use crate::writing;

/// Gives a product new content.
///
/// What the body does not say, the product does not have any more. A body that changes nothing makes no new version.
#[utoipa::path(
    put, path = "/v1/products/{id}", tag = "products", request_body = Draft,
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
        (status = 422, body = Problem, description = "`validation_failed`: every field that is wrong"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn replace_product(
    caller: Caller,
    State(kit): State<Kit>,
    Path(id): Path<ProductId>,
    if_match: Option<IfMatch>,
    Json(draft): Json<Draft>,
) -> Result<Written, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&kit, Worth::Lesser)?;
    let content = draft.check().map_err(not_valid)?;

    let mut tx = kit.begin().await.map_err(internal)?;
    let current = products::lock(&mut tx, id).await?;
    let current = current.ok_or_else(|| Problem::not_found(format_args!("product {id}")))?;
    if let Some(if_match) = if_match {
        if_match.check(current.version.get())?;
    }
    let written = writing::replace(&mut tx, current, content, clock::now()).await;
    let (product, change) = written.map_err(not_written)?;
    tx.commit().await.map_err(internal)?;
    Ok(Written { product, change: change.id })
}
