//! `GET /v1/stock/{sku}`

use axum::extract::State;
use messaging::Kit;
use problem::{ETag, Json, Path, Problem};
use vocabulary::Sku;

use super::stock_answer::StockAnswer;

/// How many pieces of a SKU there are, and how many of them are free to be ordered.
#[utoipa::path(
    get, path = "/v1/stock/{sku}", tag = "stock", params(("sku" = Sku, Path)),
    responses(
        (status = 200, body = StockAnswer),
        (status = 404, body = Problem, description = "`not_found`: a SKU that the catalogue never had"),
    )
)]
pub(super) async fn get_stock(
    State(kit): State<Kit>,
    Path(sku): Path<Sku>,
) -> Result<(ETag, Json<StockAnswer>), Problem> {
    let mut connection = kit.pool().acquire().await?;
    let stock = StockAnswer::read(&mut connection, &sku).await?;
    Ok((ETag(stock.version), Json(stock)))
}
