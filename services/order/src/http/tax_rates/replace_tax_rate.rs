//! `PUT /v1/tax-rates/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::TaxRateId;

use super::{tax_rate_body::TaxRateBody, tax_rate_draft::TaxRateDraft};
use crate::{app::change_cost_rules::replace_cost_rule, domain::costs::CostRule};

/// Replace a tax rate
///
/// Orders that were placed before keep their costs.
#[utoipa::path(
    put, path = "/v1/tax-rates/{id}", tag = "costs", request_body = TaxRateDraft, params(("id" = TaxRateId, Path)),
    responses(
        (status = 200, body = TaxRateBody),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn replace_tax_rate(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<TaxRateId>,
    Json(draft): Json<TaxRateDraft>,
) -> Result<Json<TaxRateBody>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let rule = CostRule::TaxRate(draft.parse(id)?);
    let mut tx = outbox.begin().await?;
    let stored = replace_cost_rule(&mut tx, rule, &[]).await?;
    tx.commit().await?;
    TaxRateBody::new(stored).map(Json).ok_or_else(Problem::internal)
}
