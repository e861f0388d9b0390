//! Compares a live table with its shadow, and corrects the live table.
//!
//! The live table keeps its identity, indexes, views, foreign keys and prepared statements; only wrong rows
//! change. So a reader that follows the table by its change numbers sees exactly the corrected rows.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use sqlx::{AssertSqlSafe, PgConnection, types::Json};

use super::{ReplayError, projection::Table};

/// The most samples per kind of difference.
const MAX_SAMPLES: i64 = 10;

/// The comparison of one table.
#[derive(Debug, Clone, Serialize)]
pub struct TableComparison {
    pub table: &'static str,
    /// The number of compared rows of the live table.
    pub live_rows: i64,
    /// The number of compared rows of the shadow table.
    pub shadow_rows: i64,
    /// Rows that only the live table has.
    pub only_live: i64,
    /// Rows that only the shadow table has.
    pub only_shadow: i64,
    /// Rows that both have with different content.
    pub different: i64,
    /// Some of these rows with key and both contents: up to ten per kind.
    pub samples: Vec<Value>,
}

impl TableComparison {
    /// The number of wrong rows.
    pub const fn differences(&self) -> i64 {
        self.only_live + self.only_shadow + self.different
    }
}

/// A table and its shadow, with their columns.
pub(super) struct TablePair {
    name: &'static str,
    live: String,
    shadow: String,
    /// The temporary table with the differences.
    difference: String,
    key: Vec<String>,
    compared: Vec<String>,
    ignored: Vec<String>,
    numbered: Vec<String>,
    since: Option<String>,
    live_only: &'static str,
}

#[derive(sqlx::FromRow)]
struct Column {
    name: String,
    is_key: bool,
    is_identity: bool,
}

impl TablePair {
    /// Reads the columns from the database. Rows before `since` are ignored.
    pub(super) async fn read(
        connection: &mut PgConnection,
        table: &Table,
        schema: &str,
        since: Option<DateTime<Utc>>,
    ) -> Result<Self, ReplayError> {
        let columns: Vec<Column> = sqlx::query_as(
            "select
                a.attname::text as name,
                coalesce(a.attnum = any(i.indkey), false) as is_key,
                a.attidentity <> '' as is_identity
            from pg_attribute a
            left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
            where a.attrelid = format('public.%I', $1::text)::regclass
                and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
            order by a.attnum",
        )
        .bind(table.name)
        .fetch_all(connection)
        .await?;
        let mut pair = Self {
            name: table.name,
            live: format!(r#"public."{}""#, table.name),
            shadow: format!(r#"{schema}."{}""#, table.name),
            difference: format!(r#"pg_temp."difference of {}""#, table.name),
            key: Vec::new(),
            compared: Vec::new(),
            ignored: Vec::new(),
            numbered: Vec::new(),
            since: table.since.zip(since).map(|(column, since)| {
                format!(r#""{column}" >= '{}'::timestamptz"#, since.to_rfc3339())
            }),
            live_only: table.live_only.unwrap_or("false"),
        };
        for Column { name, is_key, is_identity } in columns {
            let kind = if is_key {
                &mut pair.key
            } else if is_identity || table.numbered.contains(&name.as_str()) {
                &mut pair.numbered
            } else if table.ignored.contains(&name.as_str()) {
                &mut pair.ignored
            } else {
                &mut pair.compared
            };
            kind.push(format!(r#""{}""#, name.replace('"', r#""""#)));
        }
        if pair.key.is_empty() {
            return Err(ReplayError::NoPrimaryKey(table.name));
        }
        Ok(pair)
    }

    /// Copies rows older than the source into the shadow: later messages may refer to them.
    pub(super) async fn seed(&self, connection: &mut PgConnection) -> Result<(), ReplayError> {
        let Some(since) = &self.since else { return Ok(()) };
        let Self { live, shadow, .. } = self;
        let columns = list(&[&self.key, &self.compared, &self.ignored]);
        let seed = format!(
            "insert into {shadow} ({columns}) overriding system value select {columns} from {live} where not ({since})"
        );
        execute(connection, seed).await
    }

    /// Finds the differences. Neither table may be written meanwhile.
    pub(super) async fn compare(
        &self,
        connection: &mut PgConnection,
    ) -> Result<TableComparison, ReplayError> {
        let Self { live, shadow, difference, live_only, .. } = self;
        let since = self.since.as_deref().unwrap_or("true");
        let (key, first) = (list(&[&self.key]), &self.key[0]);
        // As text, so the comparison is exact and works for types without equality.
        let contents = |side: &str| {
            let texts: Vec<String> =
                self.compared.iter().map(|column| format!("{side}.{column}::text")).collect();
            format!("row({})", texts.join(", "))
        };
        let find = format!(
            "create temporary table {} on commit drop as
             select {key}, case when s.{first} is null then 'live' when l.{first} is null then 'shadow' else 'both' end as side
             from (select *, ({live_only}) as live_only from {live} where {since}) l
             full join (select * from {shadow} where {since}) s using ({key})
             where l.{first} is null
                or (s.{first} is null and l.live_only is not true)
                or (s.{first} is not null and {} is distinct from {})",
            difference.trim_start_matches("pg_temp."),
            contents("l"),
            contents("s"),
        );
        execute(connection, find).await?;
        let counts = format!(
            "select
                (select count(*) from {live} where {since}), (select count(*) from {shadow} where {since}),
                count(*) filter (where side = 'live'), count(*) filter (where side = 'shadow'),
                count(*) filter (where side = 'both')
            from {difference}"
        );
        let (live_rows, shadow_rows, only_live, only_shadow, different) =
            sqlx::query_as(AssertSqlSafe(counts)).fetch_one(&mut *connection).await?;
        let named: Vec<String> = self.key.iter().map(|column| format!("d.{column}")).collect();
        let samples = format!(
            "select json_build_object('key', json_build_array({}), 'live', to_json(l), 'shadow', to_json(s))
             from (
                 select *, row_number() over (partition by side order by {key}) as place from {difference}
             ) d
             left join {live} l using ({key})
             left join {shadow} s using ({key})
             where d.place <= $1
             order by d.side, d.place",
            named.join(", "),
        );
        let samples: Vec<Json<Box<RawValue>>> = sqlx::query_scalar(AssertSqlSafe(samples))
            .bind(MAX_SAMPLES)
            .fetch_all(connection)
            .await?;
        let samples = samples.iter().map(|sample| serde_json::from_str(sample.0.get()));
        Ok(TableComparison {
            table: self.name,
            live_rows,
            shadow_rows,
            only_live,
            only_shadow,
            different,
            samples: samples.collect::<Result<_, _>>().map_err(crate::error::Error::from)?,
        })
    }

    /// Deletes the rows that only the live table has.
    pub(super) async fn delete(&self, connection: &mut PgConnection) -> Result<(), ReplayError> {
        let Self { live, difference, .. } = self;
        let delete = format!(
            "delete from {live} l using {difference} d where d.side = 'live' and {}",
            self.has_same_key("l", "d"),
        );
        execute(connection, delete).await
    }

    /// Updates and inserts the rows that differ or are missing in the live table.
    pub(super) async fn upsert(&self, connection: &mut PgConnection) -> Result<(), ReplayError> {
        let Self { live, shadow, difference, .. } = self;
        let copied = self.compared.iter().map(|column| format!("{column} = s.{column}"));
        let renumbered = self.numbered.iter().map(|column| format!("{column} = default"));
        let set: Vec<String> = copied.chain(renumbered).collect();
        if !self.compared.is_empty() {
            let update = format!(
                "update {live} l set {} from {shadow} s, {difference} d where d.side = 'both' and {} and {}",
                set.join(", "),
                self.has_same_key("l", "d"),
                self.has_same_key("s", "d"),
            );
            execute(connection, update).await?;
        }
        let columns = list(&[&self.key, &self.compared, &self.ignored]);
        let order = list(&[&self.numbered, &self.key]);
        let insert = format!(
            "insert into {live} ({columns}) overriding system value
             select {columns} from {shadow} s join {difference} d using ({}) where d.side = 'shadow' order by {order}",
            list(&[&self.key]),
        );
        execute(connection, insert).await
    }

    /// The condition that two rows have the same key.
    fn has_same_key(&self, one: &str, other: &str) -> String {
        let equal = self.key.iter().map(|column| format!("{one}.{column} = {other}.{column}"));
        equal.collect::<Vec<_>>().join(" and ")
    }
}

fn list(columns: &[&[String]]) -> String {
    columns.concat().join(", ")
}

async fn execute(connection: &mut PgConnection, statement: String) -> Result<(), ReplayError> {
    sqlx::query(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}
