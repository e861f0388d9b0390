//! `GET /v1/promotions/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::PromotionId;

use super::promotion_body::PromotionBody;
use crate::storage::{
    cost_rules::{self, RuleKind},
    promotion_uses,
};

/// Get a promotion
#[utoipa::path(
    get, path = "/v1/promotions/{id}", tag = "costs", params(("id" = PromotionId, Path)),
    responses(
        (status = 200, body = PromotionBody),
        (status = 404, body = Problem, description = "`not_found`"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn get_promotion(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<PromotionId>,
) -> Result<Json<PromotionBody>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut connection = outbox.pool().acquire().await?;
    let stored = cost_rules::get(&mut connection, RuleKind::Promotion, id.as_uuid()).await?;
    let stored = stored.ok_or_else(|| Problem::not_found(format_args!("promotion {id}")))?;
    let coupons = cost_rules::coupons_of(&mut connection, &[id]).await?;
    let coupons = coupons.get(&id).map(Vec::as_slice).unwrap_or_default();
    let uses = promotion_uses::totals(&mut connection, &[id]).await?;
    let uses = uses.get(&id).copied().unwrap_or_default();
    PromotionBody::new(stored, coupons, uses).map(Json).ok_or_else(Problem::internal)
}
