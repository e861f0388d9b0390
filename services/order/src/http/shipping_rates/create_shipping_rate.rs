//! `POST /v1/shipping-rates`

use axum::extract::State;
use idempotency::{Executed, request_body};
use messaging::Outbox;
use problem::{IdempotencyKey, Json, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::ShippingRateId;

use super::{shipping_rate_body::ShippingRateBody, shipping_rate_draft::ShippingRateDraft};
use crate::{
    domain::costs::CostRule,
    http::cost_rules::{NewRule, create},
};

/// Create a shipping rate
///
/// As soon as there is one, an order that no rate covers is refused.
#[utoipa::path(
    post, path = "/v1/shipping-rates", tag = "costs", request_body = ShippingRateDraft,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repetition with the same key and body creates no second rate")),
    responses(
        (status = 201, body = ShippingRateBody, headers(("Location" = String, description = "The path of the rate"))),
        (status = 409, body = Problem, description = "`too_many_rules`: 500 exist"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn create_shipping_rate(
    caller: Caller,
    State(outbox): State<Outbox>,
    key: Option<IdempotencyKey>,
    Json(draft): Json<ShippingRateDraft>,
) -> Result<Executed, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let body = request_body(&draft)?;
    let rule = CostRule::ShippingRate(draft.parse(ShippingRateId::new())?);
    let (caller, operation, key) = (&caller, "create_shipping_rate", key.as_ref());
    let new = NewRule { caller, operation, key, body, rule, coupons: &[] };
    create(&outbox, new, |stored| {
        let body = ShippingRateBody::new(stored)?;
        Some((format!("/v1/shipping-rates/{}", body.id), body))
    })
    .await
}
