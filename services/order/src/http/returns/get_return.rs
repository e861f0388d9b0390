//! `GET /v1/returns/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::ReturnId;

use super::{
    super::access::{require_customer, require_scope},
    access::return_not_found,
    return_body::ReturnBody,
};
use crate::storage::returns;

/// Get a return
///
/// For its customer, and for warehouses with the scope `stock:write`.
#[utoipa::path(
    get, path = "/v1/returns/{id}", tag = "returns", params(("id" = ReturnId, Path)),
    responses((status = 200, body = ReturnBody)),
    security(("bearer" = ["orders:read"]), ("bearer" = ["stock:write"]))
)]
pub(crate) async fn get_return(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<ReturnId>,
) -> Result<Json<ReturnBody>, Problem> {
    let is_warehouse = caller.has(Scope::StockWrite);
    if !is_warehouse {
        require_scope(&caller, Scope::OrdersRead)?;
    }
    let mut connection = outbox.pool().acquire().await?;
    let found = returns::order_and_customer(&mut connection, id).await?;
    let unknown = || {
        // Customers do not learn which returns exist.
        if is_warehouse || caller.has(Scope::OrdersAdmin) {
            return_not_found(id)
        } else {
            Caller::not_yours(Scope::OrdersAdmin)
        }
    };
    let (order, customer) = found.ok_or_else(unknown)?;
    if !is_warehouse {
        require_customer(&caller, Scope::OrdersRead, customer)?;
    }
    let view = returns::get(&mut connection, order, id).await?;
    Ok(Json(view.ok_or_else(|| return_not_found(id))?.into()))
}
