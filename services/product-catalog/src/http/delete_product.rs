use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use messaging::{Kit, Worth};
use problem::{IfMatch, Path, Problem};
use runtime::auth::{Caller, Scope};
use runtime::clock;
use runtime::messaging::admit;
use vocabulary::ProductId;

use super::product::change_header;
use super::{internal, not_written};
use crate::storage::products;
use crate::writing;

/// Deletes a product. Its SKUs are free again, its id is not.
#[utoipa::path(
    delete, path = "/v1/products/{id}", tag = "products",
    params(
        ("id" = uuid::Uuid, Path),
        ("If-Match" = Option<String>, Header, description = "The version that the change rests upon"),
    ),
    responses(
        (status = 204, headers(("Change-Id" = String, description = "The change that this write made"))),
        (status = 404, body = Problem, description = "There is none, or it is deleted"),
        (status = 412, body = Problem, description = "The product has another version by now"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn delete_product(
    caller: Caller,
    State(kit): State<Kit>,
    Path(id): Path<ProductId>,
    if_match: Option<IfMatch>,
) -> Result<Response, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&kit, Worth::Lesser)?;

    let mut tx = kit.begin().await.map_err(internal)?;
    let current = products::lock(&mut tx, id).await?;
    let current = current.ok_or_else(|| Problem::not_found(format_args!("product {id}")))?;
    if let Some(if_match) = if_match {
        if_match.check(current.version.get())?;
    }
    let change = writing::delete(&mut tx, &current, clock::now()).await.map_err(not_written)?;
    tx.commit().await.map_err(internal)?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(change_header(change.id));
    Ok(response)
}
