//! The shadow: a schema with empty copies of the projection's tables, and an outbox whose transactions see
//! these first.

use sqlx::{PgConnection, PgPool, postgres::PgPoolOptions};
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
        let run = &run[..8];
        let schema = format!("shadow_{}_{run}", projection.name);
        let compared = projection.tables.iter().map(|table| table.name);
        let tables: Vec<&str> = compared.chain(projection.scratch.iter().copied()).collect();
        // The role of the service may not create schemas: a function of the owner does it.
        sqlx::query_scalar::<_, ()>("select messaging.create_shadow($1, $2, $3)")
            .bind(projection.name)
            .bind(run)
            .bind(&tables)
            .fetch_one(connection)
            .await?;
        let names = tables.iter().map(|table| format!(r#"{schema}."{table}""#));
        let names: Vec<String> = names.collect();
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
    sqlx::query_scalar::<_, ()>("select messaging.drop_shadows($1)")
        .bind(projection.name)
        .fetch_one(connection)
        .await?;
    Ok(())
}
