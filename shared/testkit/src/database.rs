//! A database of one test's own.

use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use uuid::Uuid;

use crate::last_act::last_act;
use crate::postgres::{create_database, drop_database};
use crate::{Error, shared_servers};

/// How many connections [`Database::connect`] opens at most. Many tests share one server.
const CONNECTIONS: u32 = 8;

/// A fresh database on the shared server, dropped with this value.
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
    /// An empty database.
    ///
    /// # Errors
    ///
    /// When there is no server, or it refuses.
    pub async fn create() -> Result<Self, Error> {
        let server = shared_servers::postgres_url().await?;
        let name = format!("test-{}", Uuid::now_v7().simple());
        let url = create_database(&server, &name).await?;
        Ok(Self { server, name, url })
    }

    /// A database to which migrations were applied, one migrator after the other.
    ///
    /// # Errors
    ///
    /// When there is no server, it refuses, or a migration fails.
    pub async fn migrated(migrators: &[&Migrator]) -> Result<Self, Error> {
        let database = Self::create().await?;
        let pool = PgPoolOptions::new().max_connections(1).connect(&database.url).await?;
        for migrator in migrators {
            migrator.run(&pool).await?;
        }
        pool.close().await;
        Ok(database)
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a script of SQL, such as a file of migrations.
    ///
    /// # Errors
    ///
    /// When a statement fails.
    pub async fn run(&self, script: &str) -> Result<(), Error> {
        let mut connection = PgConnection::connect(&self.url).await?;
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    /// A small pool of connections to it.
    ///
    /// # Errors
    ///
    /// When it cannot be reached.
    pub async fn connect(&self) -> Result<PgPool, Error> {
        Ok(PgPoolOptions::new().max_connections(CONNECTIONS).connect(&self.url).await?)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        last_act("database", async move { drop_database(&server, &name).await });
    }
}
