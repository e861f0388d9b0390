//! `PUT /v1/shipping-rates/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::ShippingRateId;

use super::{shipping_rate_body::ShippingRateBody, shipping_rate_draft::ShippingRateDraft};
use crate::{app::change_cost_rules::replace_cost_rule, domain::costs::CostRule};

/// Replace a shipping rate
///
/// Orders that were placed before keep their costs.
#[utoipa::path(
    put, path = "/v1/shipping-rates/{id}", tag = "costs", request_body = ShippingRateDraft, params(("id" = ShippingRateId, Path)),
    responses(
        (status = 200, body = ShippingRateBody),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn replace_shipping_rate(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<ShippingRateId>,
    Json(draft): Json<ShippingRateDraft>,
) -> Result<Json<ShippingRateBody>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let rule = CostRule::ShippingRate(draft.parse(id)?);
    let mut tx = outbox.begin().await?;
    let stored = replace_cost_rule(&mut tx, rule, &[]).await?;
    tx.commit().await?;
    ShippingRateBody::new(stored).map(Json).ok_or_else(Problem::internal)
}
