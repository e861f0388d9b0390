//! The rules that decide which events count: one row.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::domain::event_rules::EventRules;

/// The stored rules.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredRules {
    /// Increases with every change.
    pub(crate) version: i32,
    /// The version under which all stored events have their verdicts.
    pub(crate) recounted_version: i32,
    pub(crate) changed_at: DateTime<Utc>,
    pub(crate) rules: EventRules,
}

/// Keeps the rules as they are until the transaction ends.
pub(crate) async fn lock_shared(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select from event_rules for share").execute(connection).await?;
    Ok(())
}

pub(crate) async fn current(connection: &mut PgConnection) -> Result<StoredRules, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        select
            version,
            recounted_version,
            changed_at,
            known_agents,
            max_per_minute,
            max_per_day,
            pause_events,
            min_pause_ms,
            min_pause_spread_ms,
            max_address_visitors,
            max_per_visitor_product,
            unsigned_weight
        from event_rules
        "#,
    )
    .fetch_one(connection)
    .await?;
    let rules = EventRules {
        known_agents: row.known_agents,
        max_per_minute: bound(row.max_per_minute),
        max_per_day: bound(row.max_per_day),
        pause_events: bound(row.pause_events),
        min_pause_ms: bound(row.min_pause_ms),
        min_pause_spread_ms: bound(row.min_pause_spread_ms),
        max_address_visitors: bound(row.max_address_visitors),
        max_per_visitor_product: bound(row.max_per_visitor_product),
        unsigned_weight: row.unsigned_weight,
    };
    let (version, recounted_version) = (row.version, row.recounted_version);
    Ok(StoredRules { version, recounted_version, changed_at: row.changed_at, rules })
}

/// Replaces the rules. Waits for transactions that store events under the former ones.
pub(crate) async fn replace(
    connection: &mut PgConnection,
    rules: &EventRules,
    actor: &str,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        update event_rules
        set
            version = version + 1,
            changed_at = $1,
            changed_by = $2,
            known_agents = $3,
            max_per_minute = $4,
            max_per_day = $5,
            pause_events = $6,
            min_pause_ms = $7,
            min_pause_spread_ms = $8,
            max_address_visitors = $9,
            max_per_visitor_product = $10,
            unsigned_weight = $11
        "#,
        at,
        actor,
        &rules.known_agents,
        stored(rules.max_per_minute),
        stored(rules.max_per_day),
        stored(rules.pause_events),
        stored(rules.min_pause_ms),
        stored(rules.min_pause_spread_ms),
        stored(rules.max_address_visitors),
        stored(rules.max_per_visitor_product),
        rules.unsigned_weight,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records that all events have verdicts of this version. Returns whether it is still the current one.
pub(crate) async fn finish_recount(
    connection: &mut PgConnection,
    version: i32,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update event_rules set recounted_version = version where version = $1",
        version,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The version of the rules under which all stored events have their verdicts.
pub(crate) async fn recounted_version(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!("select recounted_version from event_rules").fetch_one(connection).await
}

fn bound(stored: i32) -> u32 {
    u32::try_from(stored).unwrap_or_default()
}

fn stored(bound: u32) -> i32 {
    i32::try_from(bound).unwrap_or(i32::MAX)
}
