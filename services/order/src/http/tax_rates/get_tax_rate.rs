//! `GET /v1/tax-rates/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::TaxRateId;

use super::tax_rate_body::TaxRateBody;
use crate::storage::cost_rules::{self, RuleKind};

/// Get a tax rate
#[utoipa::path(
    get, path = "/v1/tax-rates/{id}", tag = "costs", params(("id" = TaxRateId, Path)),
    responses(
        (status = 200, body = TaxRateBody),
        (status = 404, body = Problem, description = "`not_found`"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn get_tax_rate(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<TaxRateId>,
) -> Result<Json<TaxRateBody>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut connection = outbox.pool().acquire().await?;
    let stored = cost_rules::get(&mut connection, RuleKind::TaxRate, id.as_uuid()).await?;
    let stored = stored.ok_or_else(|| Problem::not_found(format_args!("tax rate {id}")))?;
    TaxRateBody::new(stored).map(Json).ok_or_else(Problem::internal)
}
