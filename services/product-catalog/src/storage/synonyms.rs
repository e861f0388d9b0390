//! The list of synonyms: one row.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use vocabulary::Version;

use super::undecodable;
use crate::domain::{Synonym, SynonymList};

/// An entry of the column `entries`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SynonymRow {
    TwoWay(Vec<String>),
    OneWay { from: Vec<String>, to: Vec<String> },
}

impl From<Synonym> for SynonymRow {
    fn from(synonym: Synonym) -> Self {
        match synonym {
            Synonym::TwoWay(words) => Self::TwoWay(words),
            Synonym::OneWay { from, to } => Self::OneWay { from, to },
        }
    }
}

impl From<SynonymRow> for Synonym {
    fn from(row: SynonymRow) -> Self {
        match row {
            SynonymRow::TwoWay(words) => Self::TwoWay(words),
            SynonymRow::OneWay { from, to } => Self::OneWay { from, to },
        }
    }
}

fn decode(
    version: i64,
    entries: &str,
    updated_at: DateTime<Utc>,
) -> Result<SynonymList, sqlx::Error> {
    let rows: Vec<SynonymRow> = serde_json::from_str(entries).map_err(undecodable)?;
    let version = Version::try_from(version).map_err(undecodable)?;
    Ok(SynonymList { version, synonyms: rows.into_iter().map(Synonym::from).collect(), updated_at })
}

/// The list.
pub(crate) async fn find(connection: &mut PgConnection) -> Result<SynonymList, sqlx::Error> {
    let row = sqlx::query!(
        r#"select version, entries::text as "entries!", updated_at from synonym_list"#
    )
    .fetch_one(connection)
    .await?;
    decode(row.version, &row.entries, row.updated_at)
}

/// The list, locked until the transaction ends.
pub(crate) async fn lock(connection: &mut PgConnection) -> Result<SynonymList, sqlx::Error> {
    let row = sqlx::query!(
        r#"select version, entries::text as "entries!", updated_at from synonym_list for update"#
    )
    .fetch_one(connection)
    .await?;
    decode(row.version, &row.entries, row.updated_at)
}

/// Writes a version whose event the transaction emits.
pub(crate) async fn write(
    connection: &mut PgConnection,
    list: &SynonymList,
) -> Result<(), sqlx::Error> {
    let rows: Vec<SynonymRow> = list.synonyms.iter().cloned().map(SynonymRow::from).collect();
    // Texts always have a JSON form.
    let entries = serde_json::to_string(&rows).unwrap_or_default();
    sqlx::query!(
        "update synonym_list set version = $1, entries = $2::text::json, updated_at = $3, published = true",
        list.version.get(),
        entries,
        list.updated_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The list, if its event was never emitted; it then counts as published.
pub(crate) async fn publish(
    connection: &mut PgConnection,
) -> Result<Option<SynonymList>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        update synonym_list set published = true
        where not published
        returning version, entries::text as "entries!", updated_at
        "#
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| decode(row.version, &row.entries, row.updated_at)).transpose()
}

/// The list with the sequence number of its last event; `None` before the first event.
pub(crate) async fn find_with_sequence(
    connection: &mut PgConnection,
) -> Result<Option<(SynonymList, i64)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        select l.version, l.entries::text as "entries!", l.updated_at, s.last as sequence
        from synonym_list l
        join messaging.sequence s on s.aggregate = 'search' and s.key = 'synonyms'
        "#
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok((decode(row.version, &row.entries, row.updated_at)?, row.sequence)))
        .transpose()
}
