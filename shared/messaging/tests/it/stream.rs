//! The intake's stream: what was confirmed is read once.

use std::sync::Arc;

use messaging::{
    Failure, Kit, MIGRATOR, Transaction,
    stream::{self, Intake, StreamHandler},
};
use testkit::{Database, Vhost, wait_for};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::shop::{SOON, count};

/// Writes every message down.
struct WriteDown;

impl StreamHandler for WriteDown {
    async fn handle(&self, tx: &mut Transaction, messages: &[&[u8]]) -> Result<(), Failure> {
        let bodies: Vec<String> =
            messages.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect();
        let _: Vec<i32> = sqlx::query_scalar(
            "insert into seen (body) select * from unnest($1::text[]) returning 1",
        )
        .bind(bodies)
        .fetch_all(&mut **tx)
        .await?;
        Ok(())
    }
}

#[tokio::test]
async fn what_was_confirmed_is_read_once_though_readers_die() {
    let vhost = Vhost::create().await.unwrap();
    let database = Database::migrated(&[&MIGRATOR]).await.unwrap();
    database.run("create table seen (body text not null)").await.unwrap();
    let kit = Kit::new(database.connect().await.unwrap());
    let (intake, publisher) = Intake::new(vhost.url(), "clicks");
    let stop = CancellationToken::new();
    let mut publishing = JoinSet::new();
    publishing.spawn(publisher.run(stop.clone()));
    let reader = || {
        let mut tasks = JoinSet::new();
        let (kit, url) = (kit.clone(), vhost.url().to_owned());
        tasks.spawn(stream::read(kit, url, "clicks", "reader", Arc::new(WriteDown), stop.clone()));
        tasks
    };
    for round in 0..4 {
        let mut reading = reader();
        let appends =
            (0..100).map(|number| intake.append(format!("{round}-{number}").into_bytes()));
        for appended in futures::future::join_all(appends).await {
            appended.unwrap();
        }
        reading.shutdown().await;
    }
    let mut reading = reader();
    wait_for("all is read", SOON, async || match count(kit.pool(), "seen").await {
        400 => Ok(()),
        other => Err(other),
    })
    .await
    .unwrap();
    assert_eq!(count(kit.pool(), "(select distinct body from seen) as body").await, 400);
    stop.cancel();
    while reading.join_next().await.is_some() {}
    while publishing.join_next().await.is_some() {}
}
