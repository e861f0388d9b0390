//! `GET /v1/stock/{sku}`

use axum::extract::State;
use messaging::Outbox;
use problem::{ETag, Json, Path, Problem};
use vocabulary::Sku;

use super::stock_view::StockView;
use crate::domain::LowStock;

/// Get the stock of a SKU
#[utoipa::path(
    get, path = "/v1/stock/{sku}", tag = "stock", params(("sku" = Sku, Path)),
    responses(
        (status = 200, body = StockView),
        (status = 404, body = Problem, description = "`not_found`: no product ever listed the SKU"),
    )
)]
pub(super) async fn get_stock(
    State(outbox): State<Outbox>,
    State(low): State<LowStock>,
    Path(sku): Path<Sku>,
) -> Result<(ETag, Json<StockView>), Problem> {
    let mut connection = outbox.pool().acquire().await?;
    let stock = StockView::read(&mut connection, low, &sku).await?;
    Ok((ETag(stock.version), Json(stock)))
}
