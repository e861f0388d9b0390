//! Connection pools to a real PostgreSQL that starts late, refuses, or fails.

use std::time::Duration;

use runtime::{
    Lifecycle, config,
    database::{self, DatabaseError},
    health::{Health, Status},
};
use testkit::{Database, Proxy, wait_until};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use crate::{DEADLINE, SERVICE, in_background, soon};

async fn setting(pool: &sqlx::PgPool, name: &str) -> String {
    sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn every_connection_has_timeouts() {
    let database = Database::create().await.unwrap();
    let pool = database::connect(&SERVICE, &config::Database::at(database.url())).await.unwrap();
    assert_eq!(setting(&pool, "application_name").await, "tested");
    assert_eq!(setting(&pool, "statement_timeout").await, "30s");
    assert_eq!(setting(&pool, "idle_in_transaction_session_timeout").await, "5s");
    assert_eq!(setting(&pool, "lock_timeout").await, "10s");
    assert_eq!(pool.options().get_max_connections(), 16);
}

#[tokio::test]
async fn a_migration_gives_way_to_locked_tables() {
    let database = Database::create().await.unwrap();
    let config = config::Database::at(database.url());
    let migrate = async || database::migrate(&SERVICE, &config, &[&messaging::MIGRATOR]).await;
    migrate().await.unwrap();
    let pool = database.connect().await.unwrap();
    let waiting = async |expected: bool| {
        wait_until("a session waits for a lock, or none does", DEADLINE, async || {
            let waits: bool =
                sqlx::query_scalar("select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')")
                    .fetch_one(&pool)
                    .await
                    .unwrap();
            waits == expected
        })
        .await
        .unwrap();
    };
    let mut dump = pool.begin().await.unwrap();
    sqlx::raw_sql("lock table messaging.migrations").execute(&mut *dump).await.unwrap();
    let follow = async {
        waiting(true).await;
        // It gives up while the table is still locked, and retries.
        waiting(false).await;
        waiting(true).await;
        dump.commit().await.unwrap();
    };
    let (migrated, ()) = soon(async { tokio::join!(migrate(), follow) }).await;
    migrated.unwrap();
}

#[tokio::test]
async fn a_second_migration_waits_without_a_snapshot() {
    let database = Database::create().await.unwrap();
    let config = config::Database::at(database.url());
    let pool = database.connect().await.unwrap();
    let mut first = pool.acquire().await.unwrap();
    // The advisory lock that all versions use.
    let lock =
        |verb: &str| sqlx::AssertSqlSafe(format!("select {verb}(x'6d69677261746573'::bigint)"));
    sqlx::raw_sql(lock("pg_advisory_lock")).execute(&mut *first).await.unwrap();
    let migrators = [&messaging::MIGRATOR];
    let follow = async {
        wait_until("the second asks, and holds no snapshot while it waits", DEADLINE, async || {
            sqlx::query_scalar(
                "select exists (select from pg_stat_activity where datname = current_database()
                 and query like '%pg_try_advisory_lock%' and state = 'idle' and pid <> pg_backend_pid())",
            )
            .fetch_one(&pool)
            .await
            .unwrap()
        })
        .await
        .unwrap();
        let migrated: bool = sqlx::query_scalar("select to_regnamespace('messaging') is not null")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert!(!migrated);
        sqlx::raw_sql(lock("pg_advisory_unlock")).execute(&mut *first).await.unwrap();
    };
    let migrating = Box::pin(database::migrate(&SERVICE, &config, &migrators));
    let (migrated, ()) = soon(async { tokio::join!(migrating, follow) }).await;
    migrated.unwrap();
}

#[tokio::test]
async fn connecting_waits_for_a_late_server() {
    let database = Database::create().await.unwrap();
    let (_, rest) = database.url().split_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://postgres@{}/{name}", door.local_addr().unwrap());
    let connecting =
        in_background(async move { database::connect(&SERVICE, &config::Database::at(url)).await });
    // Two connections are closed; the third is forwarded.
    for _ in 0..2 {
        drop(soon(door.accept()).await.unwrap());
    }
    let (mut client, _) = soon(door.accept()).await.unwrap();
    let mut server = TcpStream::connect(server).await.unwrap();
    in_background(async move { copy_bidirectional(&mut client, &mut server).await });
    soon(connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_refused_login_is_not_retried() {
    let database = Database::create().await.unwrap();
    let (_, server) = database.url().split_once('@').unwrap();
    let url = format!("postgres://nobody-we-know:hunter2@{server}");
    let config = config::Database::at(url);
    let connecting = database::connect(&SERVICE, &config);
    let error =
        tokio::time::timeout(Duration::from_secs(10), connecting).await.unwrap().unwrap_err();
    assert!(matches!(error, DatabaseError::Refused(_)), "{error}");
    let text = problem::chain(&error);
    assert!(text.contains("nobody-we-know") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn an_invalid_address_is_not_repeated_in_errors() {
    for bad in ["", "hunter2", "mysql://me:hunter2@host/db", "postgres://me:hunter2@host:port/db"] {
        let error = database::connect(&SERVICE, &config::Database::at(bad)).await.unwrap_err();
        assert!(matches!(error, DatabaseError::Url(_)), "{bad}: {}", problem::chain(&error));
        let text = problem::chain(&error);
        assert!(text.starts_with("DATABASE_URL ") && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_pool_replaces_broken_connections() {
    let database = Database::create().await.unwrap();
    let (proxy, url) = Proxy::in_front_of(database.url()).await.unwrap();
    let pool = database::connect(&SERVICE, &config::Database::at(url)).await.unwrap();
    assert_eq!(setting(&pool, "application_name").await, "tested");
    proxy.cut();
    wait_until("the pool works again", DEADLINE, async || {
        sqlx::query_scalar::<_, i32>("select 1").fetch_one(&pool).await.is_ok()
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn health_follows_the_database() {
    let database = Database::create().await.unwrap();
    let (proxy, url) = Proxy::in_front_of(database.url()).await.unwrap();
    let lifecycle = Lifecycle::new(DEADLINE);
    let _guard = lifecycle.hard().drop_guard();
    let health = Health::new(&lifecycle);
    let pool = database::connect(&SERVICE, &config::Database::at(url)).await.unwrap();
    database::watch(&lifecycle, &health, pool);
    wait_until("up", DEADLINE, async || health.is_ready()).await.unwrap();

    proxy.refuse().await;
    proxy.cut();
    wait_until("down", DEADLINE, async || !health.is_ready()).await.unwrap();
    let Status::Down { reason, .. } = &health.readiness().components["database"] else {
        return assert!(health.is_ready(), "down without a reason");
    };
    assert!(!reason.is_empty());

    proxy.accept().await;
    wait_until("up again", DEADLINE, async || health.is_ready()).await.unwrap();
}
