//! `GET /v1/stock/{sku}`

use axum::extract::State;
use messaging::Outbox;
use problem::{ETag, Json, Path, Problem};
use runtime::{auth::Scope, http::ReadAccess};
use vocabulary::Sku;

use super::stock_view::StockView;
use crate::domain::LowStock;

/// Get the stock of a SKU
///
/// The stock per warehouse needs the scope `stock:write`; `INTERNAL_ADDR` needs no token.
#[utoipa::path(
    get, path = "/v1/stock/{sku}", tag = "stock", params(("sku" = Sku, Path)),
    responses(
        (status = 200, body = StockView),
        (status = 404, body = Problem, description = "`not_found`: no product ever listed the SKU"),
    ),
    security((), ("bearer" = ["stock:write"]))
)]
pub(super) async fn get_stock(
    access: ReadAccess,
    State(outbox): State<Outbox>,
    State(low): State<LowStock>,
    Path(sku): Path<Sku>,
) -> Result<(ETag, Json<StockView>), Problem> {
    let mut connection = outbox.pool().acquire().await?;
    let mut stock = StockView::read(&mut connection, low, &sku).await?;
    if !access.has(Scope::StockWrite) {
        stock.warehouses = None;
    }
    Ok((ETag(stock.version), Json(stock)))
}
