//! `GET /v1/shipping-rates`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::shipping_rate_body::ShippingRateBody;
use crate::storage::cost_rules::{self, RuleKind};

/// All shipping rates, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShippingRateList {
    items: Vec<ShippingRateBody>,
}

/// List the shipping rates
///
/// There are 500 at most, so the list has one page.
#[utoipa::path(
    get, path = "/v1/shipping-rates", tag = "costs",
    responses((status = 200, body = ShippingRateList)), security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn list_shipping_rates(
    caller: Caller,
    State(outbox): State<Outbox>,
) -> Result<Json<ShippingRateList>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut connection = outbox.pool().acquire().await?;
    let stored = cost_rules::list(&mut connection, RuleKind::ShippingRate).await?;
    let items = stored.into_iter().filter_map(ShippingRateBody::new).collect();
    Ok(Json(ShippingRateList { items }))
}
