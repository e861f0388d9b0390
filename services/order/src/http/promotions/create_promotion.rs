//! `POST /v1/promotions`

use axum::extract::State;
use idempotency::{Executed, request_body};
use messaging::Outbox;
use problem::{IdempotencyKey, Json, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::PromotionId;

use super::{promotion_body::PromotionBody, promotion_draft::PromotionDraft};
use crate::{
    domain::costs::CostRule,
    http::cost_rules::{NewRule, create},
};

/// Create a promotion
///
/// It applies to orders that are placed after this answer.
#[utoipa::path(
    post, path = "/v1/promotions", tag = "costs", request_body = PromotionDraft,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repetition with the same key and body creates no second promotion")),
    responses(
        (status = 201, body = PromotionBody, headers(("Location" = String, description = "The path of the promotion"))),
        (status = 409, body = Problem, description = "`coupon_taken`: `coupons` lists the codes of other promotions. `too_many_rules`: 500 exist"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn create_promotion(
    caller: Caller,
    State(outbox): State<Outbox>,
    key: Option<IdempotencyKey>,
    Json(draft): Json<PromotionDraft>,
) -> Result<Executed, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let body = request_body(&draft)?;
    let (promotion, coupons) = draft.parse(PromotionId::new())?;
    let rule = CostRule::Promotion(promotion);
    let (caller, operation, key) = (&caller, "create_promotion", key.as_ref());
    let new = NewRule { caller, operation, key, body, rule, coupons: &coupons };
    create(&outbox, new, |stored| {
        let body = PromotionBody::new(stored, &coupons, 0)?;
        Some((format!("/v1/promotions/{}", body.id), body))
    })
    .await
}
