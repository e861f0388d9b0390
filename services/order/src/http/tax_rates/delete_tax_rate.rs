//! `DELETE /v1/tax-rates/{id}`

use axum::{extract::State, http::StatusCode};
use messaging::Outbox;
use problem::{Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::TaxRateId;

use crate::{app::change_cost_rules::delete_cost_rule, storage::cost_rules::RuleKind};

/// Delete a tax rate
///
/// Orders that were placed before keep their costs.
#[utoipa::path(
    delete, path = "/v1/tax-rates/{id}", tag = "costs", params(("id" = TaxRateId, Path)),
    responses((status = 204), (status = 404, body = Problem, description = "`not_found`")),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn delete_tax_rate(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<TaxRateId>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut tx = outbox.begin().await?;
    delete_cost_rule(&mut tx, RuleKind::TaxRate, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
