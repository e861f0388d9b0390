//! `GET /v1/products/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{ETag, Json, Path, Problem};
use vocabulary::ProductId;

use super::{product_not_found, product_view::ProductView};
use crate::storage::products;

/// Get a product
#[utoipa::path(
    get, path = "/v1/products/{id}", tag = "products", params(("id" = ProductId, Path)),
    responses(
        (status = 200, body = ProductView, headers(("ETag" = String, description = "The version"))),
        (status = 404, body = Problem, description = "`not_found`: the product does not exist, or was deleted"),
    )
)]
pub(super) async fn get_product(
    State(outbox): State<Outbox>,
    Path(id): Path<ProductId>,
) -> Result<(ETag, Json<ProductView>), Problem> {
    let mut connection = outbox.pool().acquire().await?;
    let product = products::find(&mut connection, id).await?;
    let product = product.ok_or_else(|| product_not_found(id))?;
    Ok((ETag(product.version.get()), Json(product.into())))
}
