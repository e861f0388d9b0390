//! The shadow: a schema with empty copies of the projection's tables, and an outbox whose transactions see
//! these first.

use sqlx::{AssertSqlSafe, PgConnection, PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

use super::{Projection, ReplayError};
use crate::publish::{outbox::Outbox, write_guard::WriteGuard};

pub(super) struct Shadow {
    /// The SQL name of its schema.
    pub(super) schema: String,
    /// Begins transactions in the shadow.
    pub(super) outbox: Outbox,
}

impl Shadow {
    /// Drops the shadows of earlier replays of the projection and creates a new one.
    pub(super) async fn create(
        connection: &mut PgConnection,
        pool: &PgPool,
        projection: &Projection,
    ) -> Result<Self, ReplayError> {
        drop_all(connection, projection).await?;
        // A unique name, so that a replay that was believed dead does not find the shadow of its successor.
        let run = Uuid::new_v4().simple().to_string();
        let schema = format!("{}{}", prefix(projection), &run[..8]);
        let tables = || {
            let compared = projection.tables.iter().map(|table| table.name);
            compared.chain(projection.scratch.iter().copied())
        };
        let mut statements = vec![format!("create schema {schema}")];
        statements.extend(tables().map(|table| {
            format!(r#"create table {schema}."{table}" (like public."{table}" including all)"#)
        }));
        statements.push(format!(
            "create table {schema}.replay_cursor (
                source text, aggregate text, key text, last bigint not null, snapshot bigint not null default 0,
                primary key (source, aggregate, key)
            )"
        ));
        sqlx::raw_sql(AssertSqlSafe(statements.join(";"))).execute(connection).await?;
        let names: Vec<String> = tables().map(|table| format!(r#"{schema}."{table}""#)).collect();
        let write_guard = WriteGuard::new(&schema, &names);
        // New tables have no statistics, and sequential scans per key would be quadratic (decision 0010).
        let search_path = format!("{schema},public");
        let options = (*pool.connect_options()).clone();
        let options = options.options([("search_path", &*search_path), ("enable_seqscan", "off")]);
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(options);
        Ok(Self { schema, outbox: Outbox::in_shadow(pool, write_guard) })
    }
}

/// Drops all shadows of the projection.
pub(super) async fn drop_all(
    connection: &mut PgConnection,
    projection: &Projection,
) -> Result<(), ReplayError> {
    let schemas: Vec<String> = sqlx::query_scalar(
        "select nspname::text from pg_namespace
         where starts_with(nspname::text, $1) and substr(nspname::text, length($1) + 1) ~ '^[0-9a-f]{8}$'",
    )
    .bind(prefix(projection))
    .fetch_all(&mut *connection)
    .await?;
    for schema in schemas {
        sqlx::raw_sql(AssertSqlSafe(format!("drop schema if exists {schema} cascade")))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn prefix(projection: &Projection) -> String {
    format!("shadow_{}_", projection.name)
}
