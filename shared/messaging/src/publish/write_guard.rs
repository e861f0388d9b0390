//! Restricts the transactions of a replay to their shadow tables.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::Error;

/// Keeps the transactions of a replay inside its shadow schema.
///
/// Unqualified names resolve to the shadow first and then to the live tables. So the guard ensures that the shadow exists, and that
/// all other tables are only read.
#[derive(Debug, Clone)]
pub(crate) struct WriteGuard {
    schema: Arc<str>,
    /// Locks the shadow tables: fails if another replay has dropped them, and prevents that while the transaction runs.
    lock: Arc<str>,
}

impl WriteGuard {
    /// A guard for the shadow `schema` with these tables, given as SQL names.
    pub(crate) fn new(schema: &str, tables: &[String]) -> Self {
        let lock = format!("lock table {} in row exclusive mode", tables.join(", "));
        Self { schema: schema.into(), lock: lock.into() }
    }

    /// To be called at the beginning of a transaction.
    pub(crate) async fn enter(&self, connection: &mut PgConnection) -> Result<(), Error> {
        sqlx::raw_sql(AssertSqlSafe(self.lock.to_string())).execute(connection).await?;
        Ok(())
    }

    /// To be called at the end of a transaction. Fails if it wrote outside the shadow.
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
