use axum::extract::State;
use messaging::Kit;
use problem::{ETag, Json, Path, Problem};
use vocabulary::ProductId;

use super::product::Product;
use crate::storage::products;

/// A product.
#[utoipa::path(
    get, path = "/v1/products/{id}", tag = "products", params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = Product, headers(("ETag" = String, description = "The version"))),
        (status = 404, body = Problem, description = "There is none, or it is deleted"),
    )
)]
pub(super) async fn read_product(
    State(kit): State<Kit>,
    Path(id): Path<ProductId>,
) -> Result<(ETag, Json<Product>), Problem> {
    let mut connection = kit.pool().acquire().await?;
    let product = products::find(&mut connection, id).await?;
    let product = product.ok_or_else(|| Problem::not_found(format_args!("product {id}")))?;
    Ok((ETag(product.version.get()), Json(product.into())))
}
