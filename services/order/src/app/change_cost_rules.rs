//! Creates, replaces and deletes the rules that decide what orders cost.

use messaging::Transaction;
use runtime::clock;
use uuid::Uuid;
use vocabulary::PromotionId;

use crate::{
    domain::costs::{CostRule, CouponCode},
    storage::cost_rules::{self, RuleKind, StoredRule},
};

/// The maximum number of rules of a kind. They are kept in memory, and each order looks at all of them.
pub(crate) const MAX_RULES: usize = 500;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeCostRulesError {
    #[error("the maximum number of rules exists")]
    TooMany,
    #[error("the rule does not exist")]
    NotFound,
    #[error("other promotions have these codes")]
    CouponsTaken(Vec<CouponCode>),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Creates a rule; a promotion with its codes.
pub(crate) async fn create_cost_rule(
    tx: &mut Transaction,
    rule: CostRule,
    coupons: &[CouponCode],
) -> Result<StoredRule, ChangeCostRulesError> {
    let count = cost_rules::lock_and_count(tx, RuleKind::of(&rule)).await?;
    if usize::try_from(count).unwrap_or(usize::MAX) >= MAX_RULES {
        return Err(ChangeCostRulesError::TooMany);
    }
    let now = clock::now();
    let stored = StoredRule { rule, created_at: now, changed_at: now };
    cost_rules::insert(tx, &stored).await?;
    set_coupons(tx, &stored.rule, coupons).await?;
    Ok(stored)
}

/// Replaces a rule with the same id; a promotion with its codes. Orders that exist keep their costs.
pub(crate) async fn replace_cost_rule(
    tx: &mut Transaction,
    rule: CostRule,
    coupons: &[CouponCode],
) -> Result<StoredRule, ChangeCostRulesError> {
    cost_rules::lock_and_count(tx, RuleKind::of(&rule)).await?;
    let now = clock::now();
    let created_at = cost_rules::replace(tx, &rule, now).await?;
    let created_at = created_at.ok_or(ChangeCostRulesError::NotFound)?;
    set_coupons(tx, &rule, coupons).await?;
    Ok(StoredRule { rule, created_at, changed_at: now })
}

/// Deletes a rule; a promotion with its codes. Orders that exist keep their costs.
pub(crate) async fn delete_cost_rule(
    tx: &mut Transaction,
    kind: RuleKind,
    id: impl Into<Uuid>,
) -> Result<(), ChangeCostRulesError> {
    cost_rules::lock_and_count(tx, kind).await?;
    let is_deleted = cost_rules::delete(tx, kind, id.into()).await?;
    if is_deleted { Ok(()) } else { Err(ChangeCostRulesError::NotFound) }
}

async fn set_coupons(
    tx: &mut Transaction,
    rule: &CostRule,
    coupons: &[CouponCode],
) -> Result<(), ChangeCostRulesError> {
    let promotion: PromotionId = match rule {
        CostRule::Promotion(promotion) => promotion.id,
        CostRule::ShippingRate(_) | CostRule::TaxRate(_) => return Ok(()),
    };
    let taken = cost_rules::set_coupons(tx, promotion, coupons).await?;
    if taken.is_empty() { Ok(()) } else { Err(ChangeCostRulesError::CouponsTaken(taken)) }
}
