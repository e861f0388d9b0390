//! Merchandising rules.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{ProductId, RuleId, Version};

use super::undecodable;
use crate::domain::{Rule, RuleContent, RuleEffect, RuleProducts, RuleScope, RuleState};

/// The JSON of the column `document`.
#[derive(Serialize, Deserialize)]
struct RuleDocument {
    effect: EffectRow,
    scope: ScopeRow,
    products: ProductsRow,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EffectRow {
    Pin { position: u32 },
    Boost { factor: f64 },
    Bury { factor: f64 },
    Hide,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScopeRow {
    Query(String),
    Category(String),
    Everywhere,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ProductsRow {
    Ids(Vec<ProductId>),
    Brand(String),
    Category(String),
}

impl From<RuleContent> for RuleDocument {
    fn from(content: RuleContent) -> Self {
        let RuleContent { effect, scope, products, starts_at, ends_at } = content;
        let effect = match effect {
            RuleEffect::Pin { position } => EffectRow::Pin { position },
            RuleEffect::Boost { factor } => EffectRow::Boost { factor },
            RuleEffect::Bury { factor } => EffectRow::Bury { factor },
            RuleEffect::Hide => EffectRow::Hide,
        };
        let scope = match scope {
            RuleScope::Query(query) => ScopeRow::Query(query),
            RuleScope::Category(path) => ScopeRow::Category(path),
            RuleScope::Everywhere => ScopeRow::Everywhere,
        };
        let products = match products {
            RuleProducts::Ids(ids) => ProductsRow::Ids(ids),
            RuleProducts::Brand(brand) => ProductsRow::Brand(brand),
            RuleProducts::Category(path) => ProductsRow::Category(path),
        };
        Self { effect, scope, products, starts_at, ends_at }
    }
}

impl From<RuleDocument> for RuleContent {
    fn from(document: RuleDocument) -> Self {
        let RuleDocument { effect, scope, products, starts_at, ends_at } = document;
        let effect = match effect {
            EffectRow::Pin { position } => RuleEffect::Pin { position },
            EffectRow::Boost { factor } => RuleEffect::Boost { factor },
            EffectRow::Bury { factor } => RuleEffect::Bury { factor },
            EffectRow::Hide => RuleEffect::Hide,
        };
        let scope = match scope {
            ScopeRow::Query(query) => RuleScope::Query(query),
            ScopeRow::Category(path) => RuleScope::Category(path),
            ScopeRow::Everywhere => RuleScope::Everywhere,
        };
        let products = match products {
            ProductsRow::Ids(ids) => RuleProducts::Ids(ids),
            ProductsRow::Brand(brand) => RuleProducts::Brand(brand),
            ProductsRow::Category(path) => RuleProducts::Category(path),
        };
        Self { effect, scope, products, starts_at, ends_at }
    }
}

struct RuleRow {
    id: Uuid,
    version: i64,
    document: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<RuleRow> for Rule {
    type Error = sqlx::Error;

    fn try_from(row: RuleRow) -> Result<Self, sqlx::Error> {
        let RuleRow { id, version, document, created_at, updated_at } = row;
        let document: RuleDocument = serde_json::from_str(&document).map_err(undecodable)?;
        Ok(Self {
            id: id.into(),
            version: Version::try_from(version).map_err(undecodable)?,
            content: document.into(),
            created_at,
            updated_at,
        })
    }
}

/// A rule that is not removed.
pub(crate) async fn find(
    connection: &mut PgConnection,
    id: RuleId,
) -> Result<Option<Rule>, sqlx::Error> {
    let row = sqlx::query_as!(
        RuleRow,
        r#"
        select id, version, document::text as "document!", created_at, updated_at
        from rule where id = $1 and removed_at is null
        "#,
        id.as_uuid(),
    )
    .fetch_optional(connection)
    .await?;
    row.map(Rule::try_from).transpose()
}

/// A rule that is not removed, locked until the transaction ends.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    id: RuleId,
) -> Result<Option<Rule>, sqlx::Error> {
    let row = sqlx::query_as!(
        RuleRow,
        r#"
        select id, version, document::text as "document!", created_at, updated_at
        from rule where id = $1 and removed_at is null
        for update
        "#,
        id.as_uuid(),
    )
    .fetch_optional(connection)
    .await?;
    row.map(Rule::try_from).transpose()
}

/// The first `limit` rules after `after`, in the order of their creation.
pub(crate) async fn list(
    connection: &mut PgConnection,
    after: Option<RuleId>,
    limit: i64,
) -> Result<Vec<Rule>, sqlx::Error> {
    let rows = sqlx::query_as!(
        RuleRow,
        r#"
        select id, version, document::text as "document!", created_at, updated_at
        from rule
        where removed_at is null and ($1::uuid is null or id > $1)
        order by id
        limit $2
        "#,
        after.map(RuleId::as_uuid),
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Rule::try_from).collect()
}

/// The number of rules that are not removed.
pub(crate) async fn count(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from rule where removed_at is null"#)
        .fetch_one(connection)
        .await
}

/// Writes a version of a rule.
pub(crate) async fn write(connection: &mut PgConnection, rule: &Rule) -> Result<(), sqlx::Error> {
    let document = RuleDocument::from(rule.content.clone());
    // Texts and finite numbers always have a JSON form.
    let document = serde_json::to_string(&document).unwrap_or_default();
    sqlx::query!(
        r#"
        insert into rule (id, version, document, created_at, updated_at)
        values ($1, $2, $3::text::json, $4, $5)
        on conflict (id) do update
        set version = excluded.version, document = excluded.document, updated_at = excluded.updated_at
        "#,
        rule.id.as_uuid(),
        rule.version.get(),
        document,
        rule.created_at,
        rule.updated_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a rule. The removal is a version of its own.
pub(crate) async fn remove(
    connection: &mut PgConnection,
    id: RuleId,
    version: Version,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rule set version = $2, removed_at = $3 where id = $1",
        id.as_uuid(),
        version.get(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The first `limit` rules after `after`, removed ones included. A rule commits together with its events, so
/// one statement reads a consistent pair of rule and sequence number.
pub(crate) async fn list_with_sequence(
    connection: &mut PgConnection,
    after: Option<RuleId>,
    limit: i64,
) -> Result<Vec<RuleState>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select r.id, r.version, r.document::text as "document!", r.created_at, r.updated_at, r.removed_at,
            s.last as sequence
        from rule r
        join messaging.sequence s on s.aggregate = 'search' and s.key = r.id::text
        where $1::uuid is null or r.id > $1
        order by r.id
        limit $2
        "#,
        after.map(RuleId::as_uuid),
        limit,
    )
    .fetch_all(connection)
    .await?;
    let states = rows.into_iter().map(|row| {
        let (id, version, document) = (row.id, row.version, row.document);
        let (created_at, updated_at) = (row.created_at, row.updated_at);
        let rule = RuleRow { id, version, document, created_at, updated_at }.try_into()?;
        Ok(RuleState { rule, removed_at: row.removed_at, sequence: row.sequence })
    });
    states.collect()
}
