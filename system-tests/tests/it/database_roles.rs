//! Every service works under a role that may only read and write its own rows. So do all other system tests; here the server asks for
//! passwords, too.

use reqwest::Method;
use runtime::auth::Scope;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use system_tests::{SERVICES, Shop};
use testkit::DataDir;
use uuid::Uuid;

use crate::behavior::event;

/// What no service may do.
const FORBIDDEN: [&str; 7] = [
    "create table t (a int)",
    "alter table messaging.outbox add column a int",
    "drop table messaging.outbox",
    "create role intruder",
    "copy messaging.outbox from program 'true'",
    "truncate messaging.cursor",
    "delete from _sqlx_migrations",
];

/// The code of the error with which the server refuses a statement.
async fn refusal(url: &str, statement: &str) -> Option<String> {
    let run = async || {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await
    };
    let error = run().await.err()?;
    Some(error.as_database_error().unwrap().code().unwrap_or_default().into_owned())
}

/// Rebuilds a projection, and returns the number of wrong rows.
async fn differences(shop: &Shop, service: &str, projection: &str) -> i64 {
    let token = shop.token("tester", &[Scope::Ops]).unwrap();
    let path = format!("/v1/replays/{projection}");
    let answer = shop.call(Method::POST, service, &path, Some(&token), &[], None).await.unwrap();
    answer.expect_status(200).unwrap().number("/differences").unwrap()
}

#[tokio::test]
async fn every_service_works_under_a_role_of_its_own() {
    let mut shop = Shop::start_with_private_servers(DataDir::in_memory, &[]).await.unwrap();
    shop.start_console().await.unwrap();

    // A request of each service that writes, and its events at all others.
    let product = shop.stocked_product("键盘", "ROLE-1", 32_900, 10).await.unwrap().text("/id");
    let customer = Uuid::now_v7().to_string();
    let placed = shop.order(&customer, "ROLE-1", 2, None).await.unwrap();
    let placed = placed.expect_status(202).unwrap().text("/id");
    shop.wait_for_order(&placed, &["delivered"]).await.unwrap();
    let events = Value::Array(vec![event("product_viewed", "session-1", &product)]);
    let accepted =
        shop.call(Method::POST, "behavior-analytics", "/v1/events", None, &[], Some(&events)).await;
    assert_eq!(accepted.unwrap().expect_status(202).unwrap().number("/accepted"), Some(1));
    let token = shop.token("tester", &[Scope::Ops]).unwrap();
    let repair = "/v1/index/repair";
    let repaired = shop.call(Method::POST, "search-sync", repair, Some(&token), &[], None).await;
    repaired.unwrap().expect_status(200).unwrap();
    shop.assert_clean_audit().await.unwrap();

    // Replays create tables and drop them.
    assert_eq!(differences(&shop, "order", "offers").await, 0);
    assert_eq!(differences(&shop, "behavior-analytics", "user_events").await, 0);

    for service in SERVICES {
        let own = shop.database_of_service(service);
        let mut superuser = PgConnection::connect(shop.databases().url(service)).await.unwrap();
        let roles: Vec<String> = sqlx::query_scalar(
            "select distinct usename::text from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and application_name = datname",
        )
        .fetch_all(&mut superuser)
        .await
        .unwrap();
        assert_eq!(roles, [service], "the sessions of {service}");
        for statement in FORBIDDEN {
            let code = refusal(&own, statement).await;
            assert_eq!(code.as_deref(), Some("42501"), "{service}: {statement}");
        }
        for other in SERVICES.into_iter().filter(|other| *other != service) {
            let (server, _) = own.rsplit_once('/').unwrap();
            let code = refusal(&format!("{server}/{other}"), "select 1").await;
            assert_eq!(code.as_deref(), Some("42501"), "{service} in the database of {other}");
        }
        let guessed = own.replacen(":only-for-tests@", ":wrong@", 1);
        assert_eq!(refusal(&guessed, "select 1").await.as_deref(), Some("28P01"), "{service}");
    }
    shop.stop().await.unwrap();
}
