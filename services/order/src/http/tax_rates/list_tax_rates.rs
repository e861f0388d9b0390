//! `GET /v1/tax-rates`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::tax_rate_body::TaxRateBody;
use crate::storage::cost_rules::{self, RuleKind};

/// All tax rates, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaxRateList {
    items: Vec<TaxRateBody>,
}

/// List the tax rates
///
/// There are 500 at most, so the list has one page.
#[utoipa::path(
    get, path = "/v1/tax-rates", tag = "costs",
    responses((status = 200, body = TaxRateList)), security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn list_tax_rates(
    caller: Caller,
    State(outbox): State<Outbox>,
) -> Result<Json<TaxRateList>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut connection = outbox.pool().acquire().await?;
    let stored = cost_rules::list(&mut connection, RuleKind::TaxRate).await?;
    let items = stored.into_iter().filter_map(TaxRateBody::new).collect();
    Ok(Json(TaxRateList { items }))
}
