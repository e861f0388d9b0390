//! Violated constraints, and a database that is gone, with a real PostgreSQL.

use problem::{OnConstraint as _, Problem};
use sqlx::{Connection as _, Executor as _, PgConnection};

async fn database_with_a_rule() -> (testkit::Database, PgConnection) {
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
async fn each_named_constraint_has_its_answer_and_all_else_is_internal() {
    let (_database, mut connection) = database_with_a_rule().await;
    assert_eq!(insert(&mut connection, "'a'", "1").await, Ok(1));
    let code = |result: Result<u64, Problem>| result.unwrap_err().code();
    assert_eq!(code(insert(&mut connection, "'a'", "1").await), "sku_taken");
    assert_eq!(code(insert(&mut connection, "'b'", "-1").await), "negative_price");
    assert_eq!(code(insert(&mut connection, "null", "1").await), "internal");
    assert_eq!(code(insert(&mut connection, "'b'", "no_such_column").await), "internal");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_503_busy() {
    let (_database, mut connection) = database_with_a_rule().await;
    connection.execute("set statement_timeout = '20ms'").await.unwrap();
    let error = connection.execute("select pg_sleep(10)").await.unwrap_err();
    assert_eq!(Problem::from(error).code(), "database_busy");
}

#[tokio::test]
async fn a_connection_that_the_administrator_ends_is_503_unavailable() {
    let (database, mut victim) = database_with_a_rule().await;
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
async fn a_server_that_is_not_there_is_503_unavailable() {
    let port = testkit::free_port().unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{port}/none");
    let error = PgConnection::connect(&url).await.unwrap_err();
    assert_eq!(Problem::from(error).code(), "database_unavailable");
}
