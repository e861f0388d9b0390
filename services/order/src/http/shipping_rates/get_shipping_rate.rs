//! `GET /v1/shipping-rates/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::ShippingRateId;

use super::shipping_rate_body::ShippingRateBody;
use crate::storage::cost_rules::{self, RuleKind};

/// Get a shipping rate
#[utoipa::path(
    get, path = "/v1/shipping-rates/{id}", tag = "costs", params(("id" = ShippingRateId, Path)),
    responses(
        (status = 200, body = ShippingRateBody),
        (status = 404, body = Problem, description = "`not_found`"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn get_shipping_rate(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<ShippingRateId>,
) -> Result<Json<ShippingRateBody>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut connection = outbox.pool().acquire().await?;
    let stored = cost_rules::get(&mut connection, RuleKind::ShippingRate, id.as_uuid()).await?;
    let stored = stored.ok_or_else(|| Problem::not_found(format_args!("shipping rate {id}")))?;
    ShippingRateBody::new(stored).map(Json).ok_or_else(Problem::internal)
}
