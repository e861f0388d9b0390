//! A message that nobody can read becomes a dead letter, and its neighbours go on.

use std::time::Duration;

use lapin::{BasicProperties, Connection, ConnectionProperties, options::BasicPublishOptions};
use reqwest::Method;
use runtime::auth::Scope;
use system_tests::{Servers, Shop};
use testkit::wait_for;
use uuid::Uuid;

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "poison comes from somebody who does not use the kit"
)]
async fn poison_is_put_aside_and_explained() {
    let shop = Shop::open().await.unwrap();
    shop.stocked_product("茶叶", "TEA-3", 5_000, 10).await.unwrap();
    let Servers::Shared { vhost, .. } = &shop.servers else {
        unreachable!("the shared servers were asked for")
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
        let letters = wait_for(
            &format!("{service} has a dead letter"),
            Duration::from_secs(20),
            async || {
                let asked = shop
                    .call(Method::GET, service, "/v1/dead-letters", Some(&token), &[], None)
                    .await;
                let answer = asked.map_err(|error| error.to_string())?;
                if answer.number("/pending") > Some(0) {
                    Ok(answer)
                } else {
                    Err(answer.body.to_string())
                }
            },
        )
        .await
        .unwrap();
        assert_eq!(letters.text("/items/0/reason"), "undecodable", "{service}");
        let path = format!("/v1/dead-letters/{}/discard", letters.text("/items/0/id"));
        let discarded =
            shop.call(Method::POST, service, &path, Some(&token), &[], None).await.unwrap();
        discarded.expect_status(204).unwrap();
    }
    connection.close(200, "done".into()).await.unwrap();
    shop.close().await.unwrap();
}
