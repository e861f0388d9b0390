//! `DELETE /v1/products/{id}`

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use messaging::{Criticality, Outbox};
use problem::{IfMatch, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use vocabulary::ProductId;

use super::{lock_product, not_written, product_view::change_header};
use crate::app::{self, DeleteProductCommand};

/// Delete a product
///
/// Other products may use its SKUs afterwards. Its id is never used again.
#[utoipa::path(
    delete, path = "/v1/products/{id}", tag = "products",
    params(
        ("id" = ProductId, Path),
        ("If-Match" = Option<String>, Header, description = "The version to delete"),
    ),
    responses(
        (status = 204, headers(("Change-Id" = String, description = "The change that this write made"))),
        (status = 404, body = Problem, description = "`not_found`: the product does not exist, or was deleted"),
        (status = 412, body = Problem, description = "`precondition_failed`: the product has another version"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn delete_product(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<ProductId>,
    if_match: Option<IfMatch>,
) -> Result<Response, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&outbox, Criticality::Deferrable)?;

    let mut tx = outbox.begin().await?;
    let current = lock_product(&mut tx, id, if_match).await?;
    let deleted = app::delete_product(&mut tx, DeleteProductCommand { current }).await;
    let change = deleted.map_err(not_written)?;
    tx.commit().await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(change_header(change.id));
    Ok(response)
}
