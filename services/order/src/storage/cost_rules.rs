//! The rules that decide what orders cost, and the codes of their coupons.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::PromotionId;

use super::{
    cost_json::{rule, rule_columns},
    undecodable,
};
use crate::domain::costs::{CostRule, CostRules, CouponCode};

/// Identifies a state of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RulesRevision(pub(super) Uuid);

/// A rule with its times.
#[derive(Debug, Clone)]
pub(crate) struct StoredRule {
    pub(crate) rule: CostRule,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) changed_at: DateTime<Utc>,
}

/// The kind of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleKind {
    Promotion,
    ShippingRate,
    TaxRate,
}

impl RuleKind {
    pub(crate) const fn of(rule: &CostRule) -> Self {
        match rule {
            CostRule::Promotion(_) => Self::Promotion,
            CostRule::ShippingRate(_) => Self::ShippingRate,
            CostRule::TaxRate(_) => Self::TaxRate,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Promotion => "promotion",
            Self::ShippingRate => "shipping_rate",
            Self::TaxRate => "tax_rate",
        }
    }
}

/// The rules and their revision, which belong together: one statement reads both.
pub(crate) async fn load(
    connection: &mut PgConnection,
) -> Result<(RulesRevision, CostRules), sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select v.revision, r.id as "id?", r.kind as "kind?", r.rule as "rule?"
        from cost_rule_revision v
        left join cost_rule r on true
        "#,
    )
    .fetch_all(connection)
    .await?;
    let revision = rows.first().map(|row| RulesRevision(row.revision));
    let revision = revision.ok_or(sqlx::Error::RowNotFound)?;
    let rules = rows.into_iter().filter_map(|row| {
        let (id, kind, json) = (row.id?, row.kind?, row.rule?);
        Some(rule(id, &kind, json))
    });
    Ok((revision, rules.collect::<Result<_, _>>()?))
}

/// Prevents other transactions from changing rules, and gives the rules a new revision. Returns the number of rules of a kind.
pub(crate) async fn lock_and_count(
    connection: &mut PgConnection,
    kind: RuleKind,
) -> Result<i64, sqlx::Error> {
    sqlx::query!("update cost_rule_revision set revision = gen_random_uuid()")
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from cost_rule where kind = $1"#,
        kind.as_str()
    )
    .fetch_one(connection)
    .await
}

/// Inserts a rule. The uses of a promotion are counted from now on.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    stored: &StoredRule,
) -> Result<(), sqlx::Error> {
    let (id, kind, json) = rule_columns(&stored.rule)?;
    sqlx::query!(
        "insert into cost_rule (id, kind, rule, created_at, changed_at) values ($1, $2, $3, $4, $5)",
        id,
        kind,
        json,
        stored.created_at,
        stored.changed_at,
    )
    .execute(&mut *connection)
    .await?;
    if matches!(stored.rule, CostRule::Promotion(_)) {
        sqlx::query!("insert into promotion_counter (promotion_id) values ($1)", id)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Replaces a rule of the same kind; returns when it was created, or `None` if it does not exist.
pub(crate) async fn replace(
    connection: &mut PgConnection,
    rule: &CostRule,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let (id, kind, json) = rule_columns(rule)?;
    sqlx::query_scalar!(
        "update cost_rule set rule = $3, changed_at = $4 where id = $1 and kind = $2 returning created_at",
        id,
        kind,
        json,
        now,
    )
    .fetch_optional(connection)
    .await
}

/// Deletes a rule with its coupons; returns whether it existed. Orders keep what it gave them.
pub(crate) async fn delete(
    connection: &mut PgConnection,
    kind: RuleKind,
    id: Uuid,
) -> Result<bool, sqlx::Error> {
    let deleted =
        sqlx::query!("delete from cost_rule where id = $1 and kind = $2", id, kind.as_str())
            .execute(connection)
            .await?;
    Ok(deleted.rows_affected() == 1)
}

/// The rules of a kind, oldest first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    kind: RuleKind,
) -> Result<Vec<StoredRule>, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, kind, rule, created_at, changed_at from cost_rule where kind = $1 order by id",
        kind.as_str(),
    )
    .fetch_all(connection)
    .await?;
    let stored = rows.into_iter().map(|row| {
        let rule = rule(row.id, &row.kind, row.rule)?;
        Ok(StoredRule { rule, created_at: row.created_at, changed_at: row.changed_at })
    });
    stored.collect()
}

/// A rule of a kind, if it exists.
pub(crate) async fn get(
    connection: &mut PgConnection,
    kind: RuleKind,
    id: Uuid,
) -> Result<Option<StoredRule>, sqlx::Error> {
    let row = sqlx::query!(
        "select id, kind, rule, created_at, changed_at from cost_rule where id = $1 and kind = $2",
        id,
        kind.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        let rule = rule(row.id, &row.kind, row.rule)?;
        Ok(StoredRule { rule, created_at: row.created_at, changed_at: row.changed_at })
    })
    .transpose()
}

/// Gives a promotion these codes instead of those that it has. Returns the codes that belong to other promotions; then
/// the caller rolls back.
pub(crate) async fn set_coupons(
    connection: &mut PgConnection,
    promotion: PromotionId,
    codes: &[CouponCode],
) -> Result<Vec<CouponCode>, sqlx::Error> {
    let codes: Vec<&str> = codes.iter().map(CouponCode::as_str).collect();
    sqlx::query!(
        "delete from coupon where promotion_id = $1 and code <> all($2)",
        promotion.as_uuid(),
        &codes as &[&str],
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        r#"
        insert into coupon (code, promotion_id)
        select distinct code, $2::uuid from unnest($1::text[]) as code
        on conflict (code) do nothing
        "#,
        &codes as &[&str],
        promotion.as_uuid(),
    )
    .execute(&mut *connection)
    .await?;
    let taken = sqlx::query_scalar!(
        "select code from coupon where code = any($1) and promotion_id <> $2 order by code",
        &codes as &[&str],
        promotion.as_uuid(),
    )
    .fetch_all(connection)
    .await?;
    taken.iter().map(|code| code.parse().map_err(undecodable)).collect()
}

/// The codes of promotions, sorted.
pub(crate) async fn coupons_of(
    connection: &mut PgConnection,
    promotions: &[PromotionId],
) -> Result<HashMap<PromotionId, Vec<CouponCode>>, sqlx::Error> {
    let ids: Vec<Uuid> = promotions.iter().map(|promotion| promotion.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"select promotion_id, code from coupon where promotion_id = any($1) order by code collate "C""#,
        &ids,
    )
    .fetch_all(connection)
    .await?;
    let mut coupons: HashMap<PromotionId, Vec<CouponCode>> = HashMap::new();
    for row in rows {
        let code = row.code.parse().map_err(undecodable)?;
        coupons.entry(row.promotion_id.into()).or_default().push(code);
    }
    Ok(coupons)
}

/// The promotions of those of `codes` that exist.
pub(crate) async fn find_coupons(
    connection: &mut PgConnection,
    codes: &[&CouponCode],
) -> Result<HashMap<CouponCode, PromotionId>, sqlx::Error> {
    if codes.is_empty() {
        return Ok(HashMap::new());
    }
    let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let rows = sqlx::query!(
        "select code, promotion_id from coupon where code = any($1)",
        &codes as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let found = rows
        .into_iter()
        .map(|row| Ok((row.code.parse().map_err(undecodable)?, row.promotion_id.into())));
    found.collect()
}
