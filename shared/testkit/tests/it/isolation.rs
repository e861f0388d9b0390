use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use testkit::{Database, Vhost};

#[tokio::test]
async fn databases_are_separate_and_dropped() {
    let one = Database::create().await.unwrap();
    let other = Database::create().await.unwrap();
    let pool = one.connect().await.unwrap();
    sqlx::raw_sql("create table item (id int)").execute(&pool).await.unwrap();
    let mut connection = PgConnection::connect(other.url()).await.unwrap();
    assert!(sqlx::raw_sql("select id from item").execute(&mut connection).await.is_err());

    // The open pool does not prevent the drop.
    let url = one.url().to_owned();
    drop(one);
    assert!(PgConnection::connect(&url).await.is_err());
}

#[tokio::test]
async fn vhosts_are_empty_and_deleted() {
    let vhost = Vhost::create().await.unwrap();
    assert_eq!(vhost.queues().await.unwrap(), []);
    vhost.wait_until_drained(Duration::from_secs(5)).await.unwrap();
    assert_eq!(vhost.close_connections().await.unwrap(), 0);

    let (name, management) = (vhost.name().to_owned(), vhost.management().clone());
    drop(vhost);
    assert!(management.queues(&name).await.is_err());
}
