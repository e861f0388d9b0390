//! `POST /v1/tax-rates`

use axum::extract::State;
use idempotency::{Executed, request_body};
use messaging::Outbox;
use problem::{IdempotencyKey, Json, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::TaxRateId;

use super::{tax_rate_body::TaxRateBody, tax_rate_draft::TaxRateDraft};
use crate::{
    domain::costs::CostRule,
    http::cost_rules::{NewRule, create},
};

/// Create a tax rate
///
/// An order gets one rate: that of the closest destination.
#[utoipa::path(
    post, path = "/v1/tax-rates", tag = "costs", request_body = TaxRateDraft,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repetition with the same key and body creates no second rate")),
    responses(
        (status = 201, body = TaxRateBody, headers(("Location" = String, description = "The path of the rate"))),
        (status = 409, body = Problem, description = "`too_many_rules`: 500 exist"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn create_tax_rate(
    caller: Caller,
    State(outbox): State<Outbox>,
    key: Option<IdempotencyKey>,
    Json(draft): Json<TaxRateDraft>,
) -> Result<Executed, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let body = request_body(&draft)?;
    let rule = CostRule::TaxRate(draft.parse(TaxRateId::new())?);
    let (caller, operation, key) = (&caller, "create_tax_rate", key.as_ref());
    let new = NewRule { caller, operation, key, body, rule, coupons: &[] };
    create(&outbox, new, |stored| {
        let body = TaxRateBody::new(stored)?;
        Some((format!("/v1/tax-rates/{}", body.id), body))
    })
    .await
}
