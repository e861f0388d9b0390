//! A database for one test.

use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, PgPool, migrate::Migrator,
    postgres::PgPoolOptions,
};
use uuid::Uuid;

use crate::{
    async_drop::async_drop,
    error::Error,
    postgres::{create_database, drop_database},
    shared_servers,
};

/// Limits the pool of [`Database::connect`], because many tests share one server.
const MAX_CONNECTIONS: u32 = 8;

/// A new database on the shared server, dropped with this value.
///
/// ```no_run
/// # async fn test() -> Result<(), testkit::Error> {
/// let database = testkit::Database::create().await?;
/// let pool = database.connect().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    /// Creates an empty database.
    pub async fn create() -> Result<Self, Error> {
        let server = shared_servers::postgres_url().await?;
        let name = format!("test-{}", Uuid::now_v7().simple());
        let url = create_database(&server, &name).await?;
        Ok(Self { server, name, url })
    }

    /// Creates a database and runs the migrators in order.
    pub async fn migrated(migrators: &[&Migrator]) -> Result<Self, Error> {
        let database = Self::create().await?;
        let pool = PgPoolOptions::new().max_connections(1).connect(&database.url).await?;
        for migrator in migrators {
            migrator.run(&pool).await?;
        }
        pool.close().await;
        Ok(database)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs an SQL script, such as a migration file.
    pub async fn run(&self, script: &str) -> Result<(), Error> {
        let mut connection = PgConnection::connect(&self.url).await?;
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    /// Opens a small connection pool.
    pub async fn connect(&self) -> Result<PgPool, Error> {
        Ok(PgPoolOptions::new().max_connections(MAX_CONNECTIONS).connect(&self.url).await?)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        async_drop("database", async move { drop_database(&server, &name).await });
    }
}
