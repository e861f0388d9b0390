//! `PUT /v1/promotions/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::PromotionId;

use super::{promotion_body::PromotionBody, promotion_draft::PromotionDraft};
use crate::{
    app::change_cost_rules::replace_cost_rule, domain::costs::CostRule, storage::promotion_uses,
};

/// Replace a promotion
///
/// Orders that were placed before keep their discounts. A bound that is new counts the orders from now on.
#[utoipa::path(
    put, path = "/v1/promotions/{id}", tag = "costs", request_body = PromotionDraft, params(("id" = PromotionId, Path)),
    responses(
        (status = 200, body = PromotionBody),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 409, body = Problem, description = "`coupon_taken`: `coupons` lists the codes of other promotions"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn replace_promotion(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<PromotionId>,
    Json(draft): Json<PromotionDraft>,
) -> Result<Json<PromotionBody>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let (promotion, coupons) = draft.parse(id)?;
    let mut tx = outbox.begin().await?;
    let stored = replace_cost_rule(&mut tx, CostRule::Promotion(promotion), &coupons).await?;
    let uses = promotion_uses::totals(&mut tx, &[id]).await?;
    tx.commit().await?;
    let uses = uses.get(&id).copied().unwrap_or_default();
    PromotionBody::new(stored, &coupons, uses).map(Json).ok_or_else(Problem::internal)
}
