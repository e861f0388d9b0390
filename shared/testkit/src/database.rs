//! A database for one test.

use sqlx::{PgPool, migrate::Migrator, postgres::PgPoolOptions};
use uuid::Uuid;

use crate::{
    async_drop::async_drop,
    error::Error,
    postgres::{
        Postgres, administer, create_database, database_url, drop_database, quoted, run_sql,
    },
    shared_servers, template,
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
        let name = new_name();
        let url = create_database(&server, &name).await?;
        Ok(Self { server, name, url })
    }

    /// Creates a database with the schema of these migrators, run in order.
    ///
    /// It is a copy of a [`template`]: copying costs a fraction of migrating. So values that migrations draw at random are equal in
    /// all copies.
    pub async fn migrated(migrators: &[&Migrator]) -> Result<Self, Error> {
        Self::migrated_on(shared_servers::postgres_url().await?, migrators).await
    }

    /// Like [`migrated`](Self::migrated), on a private server.
    pub async fn migrated_in(server: &Postgres, migrators: &[&Migrator]) -> Result<Self, Error> {
        Self::migrated_on(server.url(), migrators).await
    }

    async fn migrated_on(server: String, migrators: &[&Migrator]) -> Result<Self, Error> {
        let name = new_name();
        let url = template::copy(&server, migrators, &name).await?;
        Ok(Self { server, name, url })
    }

    /// A copy of the database as it is now: its backup. Ends all sessions of this database.
    pub async fn back_up(&self) -> Result<Self, Error> {
        let name = new_name();
        let url = copy(&self.server, &self.name, &name).await?;
        Ok(Self { server: self.server.clone(), name, url })
    }

    /// A copy of the database at `url`, on the same server, as it is now: its backup. Ends all sessions of that database.
    pub async fn back_up_of(url: &str) -> Result<Self, Error> {
        let name = new_name();
        let copied = copy(url, name_of(url), &name).await?;
        Ok(Self { server: url.to_owned(), name, url: copied })
    }

    /// Replaces the database by its `backup`, under the same URL. Ends all sessions of both.
    pub async fn restore(&self, backup: &Self) -> Result<(), Error> {
        backup.restore_to(&self.url).await
    }

    /// Replaces the database at `url` by this backup of it. Ends all sessions of both.
    pub async fn restore_to(&self, url: &str) -> Result<(), Error> {
        drop_database(&self.server, name_of(url)).await?;
        copy(&self.server, &self.name, name_of(url)).await?;
        Ok(())
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs an SQL script, such as a migration file.
    pub async fn run(&self, script: &str) -> Result<(), Error> {
        run_sql(&self.url, script).await
    }

    /// Opens a small connection pool.
    pub async fn connect(&self) -> Result<PgPool, Error> {
        Ok(PgPoolOptions::new().max_connections(MAX_CONNECTIONS).connect(&self.url).await?)
    }
}

/// Copies the database `from` to `to`, and returns the URL of the copy.
async fn copy(server: &str, from: &str, to: &str) -> Result<String, Error> {
    // Pools may connect again at once, so new sessions are refused while it is copied.
    let allow =
        |allowed: bool| format!("alter database {} with allow_connections {allowed}", quoted(from));
    administer(server, &allow(false)).await?;
    let terminate = format!(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '{from}'"
    );
    administer(server, &terminate).await?;
    let create = format!("create database {} template {}", quoted(to), quoted(from));
    let created = administer(server, &create).await;
    administer(server, &allow(true)).await?;
    created?;
    Ok(database_url(server, to))
}

/// The name of the database at `url`.
fn name_of(url: &str) -> &str {
    let path = url.split_once('?').map_or(url, |(path, _)| path);
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn new_name() -> String {
    format!("test-{}", Uuid::now_v7().simple())
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        async_drop("database", async move { drop_database(&server, &name).await });
    }
}
