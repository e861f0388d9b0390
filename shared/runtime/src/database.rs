//! The connection pool to PostgreSQL, and migrations. Every wait has a timeout.

use std::{borrow::Cow, time::Duration};

use database_roles::GRANTS_ON_TABLES;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use tls::{Refusal, refusal};
use tokio::time::{Instant, timeout};

use crate::{
    config,
    health::Health,
    lifecycle::Lifecycle,
    schema_compatibility::{self, Incompatible},
    service::Service,
};

/// How long the first connection is retried: the server may be starting, too.
const FIRST_CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// The timeout of one attempt to connect or to close.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest wait for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that idled longer than this is pinged before use.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);
/// The lock timeout of a migration. While it waits for a table lock, later statements queue behind it: a dump of an
/// hour must not stop the service for an hour.
const MIGRATION_LOCK_TIMEOUT: &str = "2s";
/// The key of the advisory lock for migrations: any number, the same in every version.
const MIGRATION_ADVISORY_LOCK: i64 = 0x6d69_6772_6174_6573;
/// How long a migration is retried that did not get its locks.
const MIGRATION_TIMEOUT: Duration = Duration::from_mins(10);
/// The pause between two attempts of a migration.
const MIGRATION_RETRY_DELAY: Duration = Duration::from_secs(3);
/// The poll interval of the migration lock.
const MIGRATION_LOCK_POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The interval of the health check.
const HEALTH_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("DATABASE_URL is not an address such as postgres://user:password@host:port/name")]
    Url(#[source] sqlx::Error),
    /// It did not answer for half a minute.
    #[error("the database could not be reached")]
    Unreachable(#[source] sqlx::Error),
    /// The handshake failed: retrying does not help.
    #[error("no TLS with the database: {0}")]
    Tls(Refusal, #[source] sqlx::Error),
    /// The role does not exist, has another password, or may not connect.
    #[error(
        "the database refuses the role in DATABASE_URL; `cargo xtask roles` prints SQL that creates the roles and grants what they need"
    )]
    Refused(#[source] sqlx::Error),
    #[error("the database could not be migrated")]
    Migration(#[from] MigrateError),
    /// A newer version of the program has migrated it.
    #[error("this version of the program does not work on the database")]
    Incompatible(#[from] Incompatible),
    #[error("another process has held the migration lock for {0:?}")]
    MigrationLocked(Duration),
}

/// Connects a pool; waits up to half a minute for a server that is still starting.
pub async fn connect(
    service: &Service,
    config: &config::Database,
) -> Result<PgPool, DatabaseError> {
    let options = session_options(service, config)?;
    let first = first_connection(&options).await?;
    // A failed close changes nothing.
    let _ = timeout(CONNECT_TIMEOUT, first.close()).await;
    Ok(pool(config, options))
}

/// A pool that connects when it is first needed: for a program that serves without its database as well.
pub fn lazy(service: &Service, config: &config::Database) -> Result<PgPool, DatabaseError> {
    Ok(pool(config, session_options(service, config)?))
}

fn session_options(
    service: &Service,
    config: &config::Database,
) -> Result<PgConnectOptions, DatabaseError> {
    let milliseconds = config.statement_timeout.as_millis().to_string();
    Ok(messaging::with_session_timeouts(options(service, config)?)
        .options([("statement_timeout", milliseconds.as_str())]))
}

fn pool(config: &config::Database, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(config.pool)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(Duration::from_mins(5))
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                Ok(meta.idle_for < PING_AFTER_IDLE || connection.ping().await.is_ok())
            })
        })
        .connect_lazy_with(options)
}

/// Applies the migrations that are missing, one migrator after the other, and grants the roles of the database what names single
/// tables. A database that a newer version has migrated is accepted
/// if its migrations allow it, see [`schema_compatibility`].
///
/// Several processes may call it at once, beside running services: a migration that does not get its table locks within
/// two seconds gives way and is retried, for ten minutes.
pub async fn migrate(
    service: &Service,
    config: &config::Database,
    migrators: &[&Migrator],
) -> Result<(), DatabaseError> {
    // No statement timeout: a migration may take long. Closing the connection releases the advisory lock.
    let mut connection = first_connection(&options(service, config)?).await?;
    let failed = |error: sqlx::Error| DatabaseError::Migration(error.into());
    if !acquire_migration_lock(&mut connection).await.map_err(failed)? {
        return Err(DatabaseError::MigrationLocked(MIGRATION_TIMEOUT));
    }
    let lock_timeout =
        sqlx::raw_sql(AssertSqlSafe(format!("set lock_timeout = '{MIGRATION_LOCK_TIMEOUT}'")));
    lock_timeout.execute(&mut connection).await.map_err(failed)?;
    for migrator in migrators {
        run(migrator, &mut connection).await?;
    }
    sqlx::raw_sql(GRANTS_ON_TABLES).execute(&mut connection).await.map_err(failed)?;
    // A failed close changes nothing.
    let _ = timeout(CONNECT_TIMEOUT, connection.close()).await;
    tracing::info!("the database schema is up to date");
    Ok(())
}

/// Waits for the migration lock; false if another process still holds it after [`MIGRATION_TIMEOUT`].
///
/// It polls: a waiting statement would hold a snapshot open, for ever if the other process hangs.
async fn acquire_migration_lock(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let began = Instant::now();
    let mut logged = false;
    loop {
        let acquired =
            sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(MIGRATION_ADVISORY_LOCK);
        if acquired.fetch_one(&mut *connection).await? {
            return Ok(true);
        }
        if began.elapsed() > MIGRATION_TIMEOUT {
            return Ok(false);
        }
        if !logged {
            tracing::warn!("waiting for another process that migrates the database");
            logged = true;
        }
        tokio::time::sleep(MIGRATION_LOCK_POLL_INTERVAL).await;
    }
}

/// Fails if a newer version of the program has migrated the database and this one does not work on it. Warns if it works.
pub async fn check_schema(pool: &PgPool, migrators: &[&Migrator]) -> Result<(), DatabaseError> {
    let failed = |error: sqlx::Error| DatabaseError::Migration(error.into());
    let mut connection = pool.acquire().await.map_err(failed)?;
    for migrator in migrators {
        newer_migrations(migrator, &mut connection).await?;
    }
    Ok(())
}

/// The migrations of the database that the program does not know and works with.
async fn newer_migrations(
    migrator: &Migrator,
    connection: &mut PgConnection,
) -> Result<Vec<String>, DatabaseError> {
    let newer = schema_compatibility::check(migrator, connection).await??;
    if !newer.is_empty() {
        let table = &*migrator.table_name;
        tracing::warn!(
            table,
            ?newer,
            "a newer version has migrated the database; this version works with it"
        );
    }
    Ok(newer)
}

/// One attempt: the migrations that are missing, and their limits.
async fn attempt(migrator: &Migrator, connection: &mut PgConnection) -> Result<(), DatabaseError> {
    let newer = newer_migrations(migrator, connection).await?;
    if newer.is_empty() {
        migrator.run(&mut *connection).await?;
    } else {
        // Nothing is missing, but a known migration may have been changed.
        schema_compatibility::tolerant(migrator).run(&mut *connection).await?;
    }
    Ok(schema_compatibility::record(migrator, connection).await?)
}

async fn run(migrator: &Migrator, connection: &mut PgConnection) -> Result<(), DatabaseError> {
    let deadline = Instant::now() + MIGRATION_TIMEOUT;
    loop {
        match attempt(migrator, connection).await {
            Err(DatabaseError::Migration(error))
                if may_succeed_later(&error) && Instant::now() < deadline =>
            {
                tracing::warn!(error = %error, "a migration did not get its table locks; retrying");
                tokio::time::sleep(MIGRATION_RETRY_DELAY).await;
            }
            result => return result,
        }
    }
}

/// Whether running statements prevented a migration: the lock timeout was reached (SQLSTATE 55P03), or it was the victim of a
/// deadlock (40P01).
fn may_succeed_later(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    sqlstate(error).is_some_and(|code| code == "55P03" || code == "40P01")
}

/// Reports the health component `database` by a ping every two seconds.
pub fn watch(lifecycle: &Lifecycle, health: &Health, pool: PgPool) {
    let component = health.component("database");
    let stopping = lifecycle.soft();
    lifecycle.spawn("database watch", async move {
        let mut ticks = tokio::time::interval(HEALTH_CHECK_INTERVAL);
        while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
            match timeout(ACQUIRE_TIMEOUT, ping(&pool)).await {
                Ok(Ok(())) => component.up(),
                Ok(Err(error)) => component.down(error.to_string()),
                Err(_) => component.down(format!("no answer within {ACQUIRE_TIMEOUT:?}")),
            }
        }
        Ok::<(), std::convert::Infallible>(())
    });
}

async fn ping(pool: &PgPool) -> Result<(), sqlx::Error> {
    pool.acquire().await?.ping().await
}

fn options(
    service: &Service,
    config: &config::Database,
) -> Result<PgConnectOptions, DatabaseError> {
    let url = config.url.expose();
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        // The parser accepts any scheme and would connect to this machine.
        let reason = "the scheme is not postgres://".into();
        return Err(DatabaseError::Url(sqlx::Error::Configuration(reason)));
    }
    let options: PgConnectOptions = url.parse().map_err(DatabaseError::Url)?;
    Ok(options.application_name(service.name))
}

/// Retries until it succeeds, fails permanently, or reaches [`FIRST_CONNECTION_TIMEOUT`].
async fn first_connection(options: &PgConnectOptions) -> Result<PgConnection, DatabaseError> {
    let deadline = Instant::now() + FIRST_CONNECTION_TIMEOUT;
    let mut pause = Duration::from_millis(100);
    loop {
        let error = match timeout(CONNECT_TIMEOUT, options.connect()).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::PoolTimedOut,
        };
        if let Some(reason) = refusal(&error) {
            return Err(DatabaseError::Tls(reason, error));
        }
        if is_permanent(&error) {
            return Err(DatabaseError::Refused(error));
        }
        if Instant::now() + pause > deadline {
            return Err(DatabaseError::Unreachable(error));
        }
        tracing::warn!(error = %error, "the database does not answer yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// Whether retrying is useless: wrong credentials (SQLSTATE class 28) or missing privileges (42501).
fn is_permanent(error: &sqlx::Error) -> bool {
    sqlstate(error).is_some_and(|code| code.starts_with("28") || code == "42501")
}

/// The SQLSTATE of an error that the server reported.
fn sqlstate(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}
