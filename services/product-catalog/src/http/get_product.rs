//! `GET /v1/products/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{ETag, Json, Path, Problem};
use runtime::{auth::Scope, http::ReadAccess};
use vocabulary::ProductId;

use super::{product_not_found, product_view::ProductView};
use crate::{domain::ProductStatus, storage::products};

/// Get a product
///
/// A draft or an archived product needs the scope `catalog:write`; `INTERNAL_ADDR` needs no token.
#[utoipa::path(
    get, path = "/v1/products/{id}", tag = "products", params(("id" = ProductId, Path)),
    responses(
        (status = 200, body = ProductView, headers(("ETag" = String, description = "The version"))),
        (status = 404, body = Problem, description = "`not_found`: the product does not exist, was deleted, or is not public"),
    ),
    security((), ("bearer" = ["catalog:write"]))
)]
pub(super) async fn get_product(
    access: ReadAccess,
    State(outbox): State<Outbox>,
    Path(id): Path<ProductId>,
) -> Result<(ETag, Json<ProductView>), Problem> {
    let mut connection = outbox.pool().acquire().await?;
    let product = products::find(&mut connection, id).await?;
    let is_readable = |status| status == ProductStatus::Active || access.has(Scope::CatalogWrite);
    let product = product.filter(|product| is_readable(product.content.status));
    let product = product.ok_or_else(|| product_not_found(id))?;
    Ok((ETag(product.version.get()), Json(product.into())))
}
