//! Violated constraints and an unavailable database, with a real PostgreSQL.

use std::time::Duration;

use problem::{OnConstraint as _, Problem};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use testkit::wait_for;

async fn database_with_constraints() -> (testkit::Database, PgConnection) {
    let database = testkit::Database::create().await.unwrap();
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    let table = "create table variants (
        sku text not null constraint variants_sku_key unique,
        price bigint not null constraint variants_price_check check (price >= 0))";
    connection.execute(table).await.unwrap();
    (database, connection)
}

async fn insert(connection: &mut PgConnection, sku: &str, price: &str) -> Result<u64, Problem> {
    let statement = format!("insert into variants (sku, price) values ({sku}, {price})");
    let done = connection
        .execute(sqlx::AssertSqlSafe(statement))
        .await
        .on_constraint("variants_sku_key", || Problem::conflict("sku_taken", "The SKU is taken"))
        .on_constraint("variants_price_check", || {
            Problem::bad_request("negative_price", "A price is not negative")
        })?;
    Ok(done.rows_affected())
}

#[tokio::test]
async fn each_named_constraint_maps_to_its_problem() {
    let (_database, mut connection) = database_with_constraints().await;
    assert_eq!(insert(&mut connection, "'a'", "1").await, Ok(1));
    let code = |result: Result<u64, Problem>| result.unwrap_err().code();
    assert_eq!(code(insert(&mut connection, "'a'", "1").await), "sku_taken");
    assert_eq!(code(insert(&mut connection, "'b'", "-1").await), "negative_price");
    assert_eq!(code(insert(&mut connection, "null", "1").await), "internal");
    assert_eq!(code(insert(&mut connection, "'b'", "no_such_column").await), "internal");
}

#[tokio::test]
async fn a_statement_timeout_is_503_busy() {
    let (_database, mut connection) = database_with_constraints().await;
    connection.execute("set statement_timeout = '20ms'").await.unwrap();
    let error = connection.execute("select pg_sleep(10)").await.unwrap_err();
    assert_eq!(Problem::from(error).code(), "database_busy");
}

/// The timeout ends the session while this process does something else in a transaction.
#[tokio::test]
async fn an_idle_transaction_timeout_is_503_busy() {
    let (database, mut victim) = database_with_constraints().await;
    let observer = PgPool::connect(database.url()).await.unwrap();
    victim.execute("set idle_in_transaction_session_timeout = '20ms'").await.unwrap();
    victim.execute("begin").await.unwrap();
    let idle = "select count(*) from pg_stat_activity
                where datname = current_database() and state = 'idle in transaction'";
    wait_for("the session ends", Duration::from_secs(30), async || {
        match sqlx::query_scalar(idle).fetch_one(&observer).await.unwrap() {
            0_i64 => Ok(()),
            sessions => Err(format!("{sessions} sessions are idle in a transaction")),
        }
    })
    .await
    .unwrap();
    let error = victim.execute("select 1").await.unwrap_err();
    assert_eq!(Problem::from(error).code(), "database_busy");
}

#[tokio::test]
async fn a_terminated_connection_is_503_unavailable() {
    let (database, mut victim) = database_with_constraints().await;
    let mut administrator = PgConnection::connect(database.url()).await.unwrap();
    administrator
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    let error = victim.execute("select 1").await.unwrap_err();
    assert_eq!(Problem::from(error).code(), "database_unavailable");
}

#[tokio::test]
async fn a_server_that_is_down_is_503_unavailable() {
    let port = testkit::free_port().unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{port}/none");
    let error = PgConnection::connect(&url).await.unwrap_err();
    assert_eq!(Problem::from(error).code(), "database_unavailable");
}
