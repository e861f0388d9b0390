//! `DELETE /v1/promotions/{id}`

use axum::{extract::State, http::StatusCode};
use messaging::Outbox;
use problem::{Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::PromotionId;

use crate::{app::change_cost_rules::delete_cost_rule, storage::cost_rules::RuleKind};

/// Delete a promotion
///
/// Its coupons are deleted with it. Orders that were placed before keep their discounts.
#[utoipa::path(
    delete, path = "/v1/promotions/{id}", tag = "costs", params(("id" = PromotionId, Path)),
    responses((status = 204), (status = 404, body = Problem, description = "`not_found`")),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn delete_promotion(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<PromotionId>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut tx = outbox.begin().await?;
    delete_cost_rule(&mut tx, RuleKind::Promotion, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
