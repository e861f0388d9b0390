//! Migrated databases that new ones are copied from.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    error::Error,
    postgres::{administer, database_url, quoted},
};

/// `invalid_catalog_name`: the template does not exist.
const NO_SUCH_DATABASE: &str = "3D000";

/// Creates the database `name` with the schema of these migrators, and returns its URL.
///
/// The template is created once per server and schema, and stays there.
pub(crate) async fn copy(
    server: &str,
    migrators: &[&Migrator],
    name: &str,
) -> Result<String, Error> {
    let digest = digest(migrators);
    let template = format!("template-{digest:016x}");
    // Writing the copy to the log as well, the default, costs more than the checkpoint.
    let copy = format!(
        "create database {} template {} strategy file_copy",
        quoted(name),
        quoted(&template)
    );
    if !copied(administer(server, &copy).await)? {
        let options: PgConnectOptions = database_url(server, "postgres").parse()?;
        let mut connection = PgConnection::connect_with(&options).await?;
        // One process creates the template. The lock is released with the connection, also when the process is killed.
        let lock = format!("select pg_advisory_lock({})", digest.cast_signed());
        execute(&mut connection, &lock).await?;
        if !copied(administer(server, &copy).await)? {
            create(&mut connection, server, migrators, &template).await?;
            administer(server, &copy).await?;
        }
        connection.close().await?;
    }
    Ok(database_url(server, name))
}

/// Whether the template could be copied; false if it does not exist.
fn copied(outcome: Result<(), Error>) -> Result<bool, Error> {
    match outcome {
        Ok(()) => Ok(true),
        Err(Error::Sql(sqlx::Error::Database(error)))
            if error.code().as_deref() == Some(NO_SUCH_DATABASE) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Creates the template.
async fn create(
    connection: &mut PgConnection,
    server: &str,
    migrators: &[&Migrator],
    template: &str,
) -> Result<(), Error> {
    // It gets its final name at the end: no one copies a template that a killed process left half migrated.
    let unfinished = format!("{template}-unfinished");
    let name = quoted(&unfinished);
    execute(connection, &format!("drop database if exists {name} with (force)")).await?;
    execute(connection, &format!("create database {name}")).await?;
    migrate(&database_url(server, &unfinished), migrators).await?;
    execute(connection, &format!("alter database {name} rename to {}", quoted(template))).await
}

async fn execute(connection: &mut PgConnection, statement: &str) -> Result<(), Error> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

async fn migrate(url: &str, migrators: &[&Migrator]) -> Result<(), Error> {
    let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
    for migrator in migrators {
        migrator.run(&pool).await?;
    }
    pool.close().await;
    Ok(())
}

/// A digest of the migrations in their order.
fn digest(migrators: &[&Migrator]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for migration in migrators.iter().flat_map(|migrator| migrator.iter()) {
        (migration.version, &*migration.checksum).hash(&mut hasher);
    }
    hasher.finish()
}
