use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use testkit::{Postgres, wait_for};

async fn count(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar("select count(*) from item").fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
async fn committed_data_survives_a_kill() {
    let mut server = Postgres::start().await.unwrap();
    let port = server.port();

    let url = server.create_database("of-the-test").await.unwrap();
    assert_eq!(
        server.create_database("of-the-test").await.unwrap(),
        url,
        "creating it again succeeds"
    );
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("create table item (id int); insert into item select generate_series(1, 1000)")
        .execute(&mut connection)
        .await
        .unwrap();

    server.kill().await.unwrap();
    assert!(server.running().is_err());
    assert!(connection.ping().await.is_err(), "sessions end with the server");

    server.restart().await.unwrap();
    assert_eq!(server.port(), port);
    assert_eq!(count(&url).await, 1000);

    server.stop().await.unwrap();
    server.stop().await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(count(&url).await, 1000);
}

#[tokio::test]
async fn a_paused_server_responds_after_it_is_resumed() {
    let mut server = Postgres::start().await.unwrap();
    let mut connection = PgConnection::connect(&server.database_url("postgres")).await.unwrap();
    server.running().unwrap().pause().unwrap();
    let hung = tokio::time::timeout(Duration::from_millis(200), connection.ping()).await;
    assert!(hung.is_err());
    server.running().unwrap().resume().unwrap();
    wait_for("the server responds", Duration::from_secs(5), async || {
        let mut fresh = PgConnection::connect(&server.database_url("postgres")).await?;
        fresh.ping().await
    })
    .await
    .unwrap();

    let directory = server.data_dir().path().to_owned();
    drop(server);
    assert!(!directory.exists());
}
