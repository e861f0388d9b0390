//! Migrations that rename what an older version uses.

use behavior_analytics::migrators;
use testkit::Database;

#[tokio::test]
async fn the_old_lock_table_raises_an_error() {
    let database = Database::migrated(&migrators()).await.unwrap();
    let pool = database.connect().await.unwrap();
    let locks: i64 =
        sqlx::query_scalar("select count(*) from write_lock").fetch_one(&pool).await.unwrap();
    assert_eq!(locks, 4);
    for query in [
        "select from turn where name = 'basket' for update",
        "select from turn where name = 'erasure' for share",
    ] {
        let error = sqlx::raw_sql(query).execute(&pool).await.unwrap_err();
        let error = error.as_database_error().unwrap();
        assert!(error.message().contains("migrated for a newer version of the program"), "{error}");
        // The class that the messaging kit takes for an unavailable database.
        assert_eq!(error.code().as_deref(), Some("57P03"));
    }
}
