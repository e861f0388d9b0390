//! The shadow: a schema with empty tables like those of the projection, and a kit whose transactions see these first.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, PgConnection, PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

use super::{Projection, ReplayError};
use crate::{Error, Outbox};

/// What keeps a replay's transactions in their shadow. Names without a schema are looked up in the shadow first and then among the
/// live tables; so it must be certain that the shadow is there, and that whatever else was found is only read.
#[derive(Debug, Clone)]
pub(crate) struct Walls {
    schema: Arc<str>,
    /// Locks the tables of the shadow: it fails where another replay has cleared them away, and none can while it holds.
    hold: Arc<str>,
}

impl Walls {
    /// Begins a transaction.
    pub(crate) async fn enter(&self, connection: &mut PgConnection) -> Result<(), Error> {
        sqlx::raw_sql(AssertSqlSafe(self.hold.to_string())).execute(connection).await?;
        Ok(())
    }

    /// Ends a transaction: an error if it has written anywhere but into the shadow.
    pub(crate) async fn leave(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let outside: Option<String> = sqlx::query_scalar(
            "select schemaname || '.' || relname from pg_stat_xact_user_tables
             where schemaname not in ($1, 'pg_temp') and n_tup_ins + n_tup_upd + n_tup_del > 0
             limit 1",
        )
        .bind(&*self.schema)
        .fetch_optional(connection)
        .await?;
        outside.map_or(Ok(()), |table| Err(Error::OutsideShadow(table)))
    }
}

/// A shadow of a projection.
pub(super) struct Shadow {
    /// Its schema, as an SQL name.
    pub(super) schema: String,
    /// Transactions in it.
    pub(super) outbox: Outbox,
}

impl Shadow {
    /// Clears away what earlier replays of the projection have left, and makes a new shadow.
    pub(super) async fn make(
        connection: &mut PgConnection,
        pool: &PgPool,
        projection: &Projection,
    ) -> Result<Self, ReplayError> {
        clear(connection, projection).await?;
        // A name of its own, so that a replay that was thought dead does not find the shadow of its successor.
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
        let walls = Walls {
            schema: schema.as_str().into(),
            hold: format!("lock table {} in row exclusive mode", names.join(", ")).into(),
        };
        // Nothing is known of new tables, and what grows from nothing must not be read as a whole for every key (decision 0010).
        let search_path = format!("{schema},public");
        let options = (*pool.connect_options()).clone();
        let options = options.options([("search_path", &*search_path), ("enable_seqscan", "off")]);
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(options);
        Ok(Self { schema, outbox: Outbox::in_shadow(pool, walls) })
    }
}

/// Clears away all shadows of the projection.
pub(super) async fn clear(
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
