//! Synonyms and rules, in all versions that a search may need.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use vocabulary::{ProductId, RuleId, Version};

use super::undecodable;
use crate::domain::{
    HeldSetting, KEPT_MINUTES, KEPT_REVISIONS, Rule, RuleEffect, RuleProducts, RuleScope, Setting,
    SettingVersion, SettingsHistory, Synonym,
};

/// The JSON of the column `body`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Body {
    Synonyms(Vec<SynonymBody>),
    Rule(RuleBody),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SynonymBody {
    TwoWay(Vec<String>),
    OneWay { from: Vec<String>, to: Vec<String> },
}

#[derive(Serialize, Deserialize)]
struct RuleBody {
    id: RuleId,
    effect: EffectBody,
    scope: ScopeBody,
    products: ProductsBody,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EffectBody {
    Pin { position: u32 },
    Boost { factor: f64 },
    Bury { factor: f64 },
    Hide,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScopeBody {
    Query(String),
    Category(String),
    Everywhere,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ProductsBody {
    Ids(Vec<ProductId>),
    Brand(String),
    Category(String),
}

/// The body; none for a removed rule.
fn body(setting: &Setting) -> Option<Body> {
    let synonym = |synonym: &Synonym| match synonym.clone() {
        Synonym::TwoWay(words) => SynonymBody::TwoWay(words),
        Synonym::OneWay { from, to } => SynonymBody::OneWay { from, to },
    };
    match setting {
        Setting::Synonyms(synonyms) => Some(Body::Synonyms(synonyms.iter().map(synonym).collect())),
        Setting::Rule(rule) => Some(Body::Rule(rule.clone().into())),
        Setting::Removed => None,
    }
}

impl From<Body> for Setting {
    fn from(body: Body) -> Self {
        let synonym = |synonym| match synonym {
            SynonymBody::TwoWay(words) => Synonym::TwoWay(words),
            SynonymBody::OneWay { from, to } => Synonym::OneWay { from, to },
        };
        match body {
            Body::Synonyms(synonyms) => Self::Synonyms(synonyms.into_iter().map(synonym).collect()),
            Body::Rule(rule) => Self::Rule(rule.into()),
        }
    }
}

impl From<Rule> for RuleBody {
    fn from(rule: Rule) -> Self {
        Self {
            id: rule.id,
            effect: match rule.effect {
                RuleEffect::Pin { position } => EffectBody::Pin { position },
                RuleEffect::Boost { factor } => EffectBody::Boost { factor },
                RuleEffect::Bury { factor } => EffectBody::Bury { factor },
                RuleEffect::Hide => EffectBody::Hide,
            },
            scope: match rule.scope {
                RuleScope::Query(query) => ScopeBody::Query(query),
                RuleScope::Category(path) => ScopeBody::Category(path),
                RuleScope::Everywhere => ScopeBody::Everywhere,
            },
            products: match rule.products {
                RuleProducts::Ids(ids) => ProductsBody::Ids(ids),
                RuleProducts::Brand(brand) => ProductsBody::Brand(brand),
                RuleProducts::Category(path) => ProductsBody::Category(path),
            },
            starts_at: rule.starts_at,
            ends_at: rule.ends_at,
        }
    }
}

impl From<RuleBody> for Rule {
    fn from(body: RuleBody) -> Self {
        Self {
            id: body.id,
            effect: match body.effect {
                EffectBody::Pin { position } => RuleEffect::Pin { position },
                EffectBody::Boost { factor } => RuleEffect::Boost { factor },
                EffectBody::Bury { factor } => RuleEffect::Bury { factor },
                EffectBody::Hide => RuleEffect::Hide,
            },
            scope: match body.scope {
                ScopeBody::Query(query) => RuleScope::Query(query),
                ScopeBody::Category(path) => RuleScope::Category(path),
                ScopeBody::Everywhere => RuleScope::Everywhere,
            },
            products: match body.products {
                ProductsBody::Ids(ids) => RuleProducts::Ids(ids),
                ProductsBody::Brand(brand) => RuleProducts::Brand(brand),
                ProductsBody::Category(path) => RuleProducts::Category(path),
            },
            starts_at: body.starts_at,
            ends_at: body.ends_at,
        }
    }
}

/// Writes settings that are newer than the stored ones, in one new revision; returns how many were written.
///
/// `settings` must be sorted by key and contain each key at most once.
pub(crate) async fn write(
    connection: &mut PgConnection,
    settings: &[SettingVersion],
) -> Result<u64, sqlx::Error> {
    let keys: Vec<&str> = settings.iter().map(|one| one.key.as_str()).collect();
    let versions: Vec<i64> = settings.iter().map(|one| one.version.get()).collect();
    // Texts and finite numbers always have a JSON form.
    let json = |body: &Body| serde_json::to_string(body).unwrap_or_default();
    let bodies: Vec<Option<String>> =
        settings.iter().map(|one| body(&one.setting).as_ref().map(json)).collect();
    let last = sqlx::query_scalar!("select last from search_setting_revision for update")
        .fetch_one(&mut *connection)
        .await?;
    // Before the insert: a key has one current version.
    sqlx::query!(
        r#"
        update search_setting s set until = $3::bigint + 1, replaced_at = now()
        from unnest($1::text[], $2::bigint[]) as g (key, version)
        where s.key = g.key and s.until is null and s.version < g.version
        "#,
        &keys as &[&str],
        &versions,
        last,
    )
    .execute(&mut *connection)
    .await?;
    let written = sqlx::query!(
        r#"
        insert into search_setting (key, version, body, since)
        select g.key, g.version, g.body::json, $4::bigint + 1
        from unnest($1::text[], $2::bigint[], $3::text[]) as g (key, version, body)
        where not exists (select from search_setting s where s.key = g.key and s.version >= g.version)
        "#,
        &keys as &[&str],
        &versions,
        &bodies as &[Option<String>],
        last,
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if written > 0 {
        sqlx::query!("update search_setting_revision set last = last + 1")
            .execute(&mut *connection)
            .await?;
        sqlx::query!(
            r#"
            delete from search_setting
            where replaced_at < now() - make_interval(mins => $1) or until <= $2::bigint
            "#,
            i32::try_from(KEPT_MINUTES).unwrap_or(i32::MAX),
            last - KEPT_REVISIONS,
        )
        .execute(connection)
        .await?;
    }
    Ok(written)
}

/// The number of the last change.
pub(crate) async fn revision(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select last from search_setting_revision").fetch_one(connection).await
}

/// All versions that a search may need, read at one moment.
pub(crate) async fn load(connection: &mut PgConnection) -> Result<SettingsHistory, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select r.last, s.version as "version?", s.body::text, s.since as "since?", s.until
        from search_setting_revision r left join search_setting s on s.body is not null
        order by s.key, s.version
        "#
    )
    .fetch_all(connection)
    .await?;
    let mut history = SettingsHistory::default();
    for row in rows {
        history.revision = row.last;
        let (Some(version), Some(body), Some(since)) = (row.version, row.body, row.since) else {
            continue;
        };
        let body: Body = serde_json::from_str(&body).map_err(undecodable)?;
        history.settings.push(HeldSetting {
            version: Version::try_from(version).map_err(undecodable)?,
            setting: body.into(),
            since,
            until: row.until,
        });
    }
    Ok(history)
}

/// The rules that are not removed, with their versions.
pub(crate) async fn current_rules(
    connection: &mut PgConnection,
) -> Result<Vec<(String, Version)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select key, version from search_setting
        where until is null and body is not null and key <> 'synonyms'
        order by key
        "#
    )
    .fetch_all(connection)
    .await?;
    let versions = rows
        .into_iter()
        .map(|row| Ok((row.key, Version::try_from(row.version).map_err(undecodable)?)));
    versions.collect()
}
