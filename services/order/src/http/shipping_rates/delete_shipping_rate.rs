//! `DELETE /v1/shipping-rates/{id}`

use axum::{extract::State, http::StatusCode};
use messaging::Outbox;
use problem::{Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::ShippingRateId;

use crate::{app::change_cost_rules::delete_cost_rule, storage::cost_rules::RuleKind};

/// Delete a shipping rate
///
/// Orders that were placed before keep their costs.
#[utoipa::path(
    delete, path = "/v1/shipping-rates/{id}", tag = "costs", params(("id" = ShippingRateId, Path)),
    responses((status = 204), (status = 404, body = Problem, description = "`not_found`")),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn delete_shipping_rate(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<ShippingRateId>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut tx = outbox.begin().await?;
    delete_cost_rule(&mut tx, RuleKind::ShippingRate, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
