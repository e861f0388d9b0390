//! `GET /v1/promotions`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::PromotionId;

use super::promotion_body::PromotionBody;
use crate::{
    domain::costs::CostRule,
    storage::{
        cost_rules::{self, RuleKind, StoredRule},
        promotion_uses,
    },
};

/// All promotions, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PromotionList {
    items: Vec<PromotionBody>,
}

/// List the promotions
///
/// There are 500 at most, so the list has one page.
#[utoipa::path(
    get, path = "/v1/promotions", tag = "costs",
    responses((status = 200, body = PromotionList)), security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn list_promotions(
    caller: Caller,
    State(outbox): State<Outbox>,
) -> Result<Json<PromotionList>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut connection = outbox.pool().acquire().await?;
    let stored = cost_rules::list(&mut connection, RuleKind::Promotion).await?;
    let ids: Vec<PromotionId> = stored.iter().filter_map(promotion_id).collect();
    let coupons = cost_rules::coupons_of(&mut connection, &ids).await?;
    let uses = promotion_uses::totals(&mut connection, &ids).await?;
    let items = stored.into_iter().filter_map(|stored| {
        let id = promotion_id(&stored)?;
        let coupons = coupons.get(&id).map(Vec::as_slice).unwrap_or_default();
        PromotionBody::new(stored, coupons, uses.get(&id).copied().unwrap_or_default())
    });
    Ok(Json(PromotionList { items: items.collect() }))
}

fn promotion_id(stored: &StoredRule) -> Option<PromotionId> {
    match &stored.rule {
        CostRule::Promotion(promotion) => Some(promotion.id),
        CostRule::ShippingRate(_) | CostRule::TaxRate(_) => None,
    }
}
