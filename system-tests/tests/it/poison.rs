//! An undecodable message becomes a dead letter, and other messages are processed.

use std::time::Duration;

use lapin::{BasicProperties, Connection, ConnectionProperties, options::BasicPublishOptions};
use reqwest::Method;
use runtime::auth::Scope;
use system_tests::{Servers, Shop};
use testkit::wait_for;
use uuid::Uuid;

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "poison comes from a publisher without the kit")]
async fn poison_becomes_a_dead_letter() {
    let shop = Shop::start().await.unwrap();
    shop.stocked_product("茶叶", "TEA-3", 5_000, 10).await.unwrap();
    let Servers::Shared { vhost, .. } = &shop.servers else {
        unreachable!("the suite uses the shared servers")
    };
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(vhost.url(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    for (exchange, key) in
        [("order", "order.1"), ("product-catalog", "product.2"), ("inventory", "reservation.3")]
    {
        let published = channel.basic_publish(
            exchange.into(),
            key.into(),
            BasicPublishOptions::default(),
            b"\xff not an event",
            BasicProperties::default(),
        );
        published.await.unwrap();
    }
    let placed = shop.order(&Uuid::now_v7().to_string(), "TEA-3", 1, None).await.unwrap();
    let id = placed.expect_status(202).unwrap().text("/id");
    shop.wait_for_order(&id, &["delivered"]).await.unwrap();

    let token = shop.token("tester", &[Scope::Ops]).unwrap();
    for service in ["inventory", "search-sync", "order", "behavior-analytics"] {
        let dead_letters = wait_for(
            &format!("{service} has a dead letter"),
            Duration::from_secs(20),
            async || {
                let answer = shop
                    .call(Method::GET, service, "/v1/dead-letters", Some(&token), &[], None)
                    .await;
                let answer = answer.map_err(|error| error.to_string())?;
                if answer.number("/pending") > Some(0) {
                    Ok(answer)
                } else {
                    Err(answer.body.to_string())
                }
            },
        )
        .await
        .unwrap();
        assert_eq!(dead_letters.text("/items/0/reason"), "undecodable", "{service}");
        let path = format!("/v1/dead-letters/{}/discard", dead_letters.text("/items/0/id"));
        let discarded =
            shop.call(Method::POST, service, &path, Some(&token), &[], None).await.unwrap();
        discarded.expect_status(204).unwrap();
    }
    connection.close(200, "done".into()).await.unwrap();
    shop.stop().await.unwrap();
}
