//! The connection to PostgreSQL: a pool in which every wait has a deadline.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tokio::time::{Instant, timeout};

use crate::config;
use crate::health::Health;
use crate::{Lifecycle, Service};

/// How long a server may take until it can be reached for the first time: it may be starting, too.
const FIRST_CONNECTION: Duration = Duration::from_secs(30);
/// How long one attempt to connect may take.
const ONE_ATTEMPT: Duration = Duration::from_secs(5);
/// How long a request waits for a connection out of the pool.
const ACQUIRE: Duration = Duration::from_secs(5);
/// A connection that has rested longer is asked whether it lives before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// How long a migration waits for a lock at a time. While it waits for a table, whoever wants the table behind it waits as well: a dump that
/// takes an hour must not stop the service for an hour.
const MIGRATION_LOCK: &str = "2s";
/// The advisory lock of who migrates: any number, the same in every version.
const MIGRATING: i64 = 0x6d69_6772_6174_6573;
/// How long a migration is tried again that did not get its locks, and how often.
const MIGRATION: (Duration, Duration) = (Duration::from_mins(10), Duration::from_secs(3));
/// How often is asked whether whoever migrates has ended.
const TURN: Duration = Duration::from_millis(200);
/// How often a watched pool is asked whether its database answers.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The address is not one.
    #[error("DATABASE_URL is not an address such as postgres://user:password@host:port/name")]
    Url(#[source] sqlx::Error),
    /// It refused us, or did not answer for half a minute.
    #[error("the database could not be reached")]
    Unreachable(#[source] sqlx::Error),
    /// A migration failed.
    #[error("the database could not be migrated")]
    Migration(#[source] MigrateError),
    /// Another process has been migrating it for too long, or hangs over it.
    #[error("another process holds the lock of who migrates, and has for {0:?}")]
    Taken(Duration),
}

/// A pool of connections, once the database answers; waits for a server that is still starting.
pub async fn connect(
    service: &Service,
    config: &config::Database,
) -> Result<PgPool, DatabaseError> {
    let milliseconds = config.statement_timeout.as_millis().to_string();
    let options = messaging::guarded(options(service, config)?)
        .options([("statement_timeout", milliseconds.as_str())]);
    let first = first_connection(&options).await?;
    // Whether it can be closed politely changes nothing.
    let _ = timeout(ONE_ATTEMPT, first.close()).await;
    Ok(PgPoolOptions::new()
        .max_connections(config.pool)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(Duration::from_mins(5))
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(
                async move { Ok(meta.idle_for < TRUSTED_IDLE || connection.ping().await.is_ok()) },
            )
        })
        .connect_lazy_with(options))
}

/// Brings the database to the newest schema, one migrator after the other. Safe to run from several processes at once, and beside those
/// that write: what does not get its locks soon lets them go on, and tries again for ten minutes.
pub async fn migrate(
    service: &Service,
    config: &config::Database,
    migrators: &[&Migrator],
) -> Result<(), DatabaseError> {
    // No statement timeout: a migration takes as long as it takes. The end of the connection lets the next one in.
    let mut connection = first_connection(&options(service, config)?).await?;
    let failed = |error: sqlx::Error| DatabaseError::Migration(error.into());
    if !is_alone(&mut connection).await.map_err(failed)? {
        return Err(DatabaseError::Taken(MIGRATION.0));
    }
    let patience = sqlx::raw_sql(AssertSqlSafe(format!("set lock_timeout = '{MIGRATION_LOCK}'")));
    patience.execute(&mut connection).await.map_err(failed)?;
    for migrator in migrators {
        run(migrator, &mut connection).await.map_err(DatabaseError::Migration)?;
    }
    // Whether it can be closed politely changes nothing.
    let _ = timeout(ONE_ATTEMPT, connection.close()).await;
    tracing::info!("the database has the newest schema");
    Ok(())
}

/// Waits until nobody else migrates; false if somebody still does after as long as a migration is tried. It asks again and again: a
/// statement that waits would keep a snapshot open, and for ever if who migrates hangs.
async fn is_alone(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let began = Instant::now();
    let mut said = false;
    loop {
        let asked = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(MIGRATING);
        if asked.fetch_one(&mut *connection).await? {
            return Ok(true);
        }
        if began.elapsed() > MIGRATION.0 {
            return Ok(false);
        }
        if !said {
            tracing::warn!("another process migrates the database, and is waited for");
            said = true;
        }
        tokio::time::sleep(TURN).await;
    }
}

async fn run(migrator: &Migrator, connection: &mut PgConnection) -> Result<(), MigrateError> {
    let (most, pause) = MIGRATION;
    let deadline = Instant::now() + most;
    loop {
        match migrator.run(&mut *connection).await {
            Err(error) if is_locked_out(&error) && Instant::now() < deadline => {
                tracing::warn!(error = %error, "a migration waits until a table is free");
                tokio::time::sleep(pause).await;
            }
            ended => return ended,
        }
    }
}

/// Whether a lock was not to be had in time.
fn is_locked_out(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    sqlstate(error).is_some_and(|code| code == "55P03")
}

/// Reports the component `database`, by asking the server every two seconds.
pub fn watch(lifecycle: &Lifecycle, health: &Health, pool: PgPool) {
    let component = health.component("database");
    let stopping = lifecycle.soft();
    lifecycle.spawn("database watch", async move {
        let mut ticks = tokio::time::interval(WATCH_EVERY);
        while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
            match timeout(ACQUIRE, ping(&pool)).await {
                Ok(Ok(())) => component.up(),
                Ok(Err(error)) => component.down(error.to_string()),
                Err(_) => component.down(format!("no answer within {ACQUIRE:?}")),
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
        // The parser would take any scheme, and look for a server on this machine.
        let reason = "it does not begin with postgres://".into();
        return Err(DatabaseError::Url(sqlx::Error::Configuration(reason)));
    }
    let options: PgConnectOptions = url.parse().map_err(DatabaseError::Url)?;
    Ok(options.application_name(service.name))
}

/// Tries until it succeeds, is refused for good, or half a minute is over.
async fn first_connection(options: &PgConnectOptions) -> Result<PgConnection, DatabaseError> {
    let deadline = Instant::now() + FIRST_CONNECTION;
    let mut pause = Duration::from_millis(100);
    loop {
        let error = match timeout(ONE_ATTEMPT, options.connect()).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::PoolTimedOut,
        };
        if refused_for_good(&error) || Instant::now() + pause > deadline {
            return Err(DatabaseError::Unreachable(error));
        }
        tracing::warn!(error = %error, "the database does not answer yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// Wrong passwords and missing rights do not pass by themselves (class 28, and 42501).
fn refused_for_good(error: &sqlx::Error) -> bool {
    sqlstate(error).is_some_and(|code| code.starts_with("28") || code == "42501")
}

/// Why the server refused, if it was the server.
fn sqlstate(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}
