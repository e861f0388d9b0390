//! The copy of the catalogue: version guard, receipts and dead letters.

use contracts::catalog::{ProductDeletedV1, ProductStatus};
use serde_json::{Value, json};
use vocabulary::{ChangeId, ProductId, Version};

use crate::shop::{Deadlines, Shop, UnreadableChange, changed, order_request};

#[tokio::test]
async fn newest_version_wins_and_every_version_gets_a_receipt() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let product = ProductId::new();
    let version = |number: i64| Version::try_from(number).unwrap();
    let publish = async |number: i64, status, prices: &[(&str, i64)]| {
        shop.publish_product(&changed(product, number, status, prices), product, version(number))
            .await;
    };
    let total = async |sku: &str| {
        let placed = client.post("/v1/orders", &order_request(me, &[(sku, 1)], "manual")).await;
        if placed.status == 202 { placed.body["total"]["amount"].as_i64() } else { None }
    };
    publish(3, ProductStatus::Active, &[("A", 300), ("B", 300)]).await;
    assert_eq!(total("A").await, Some(300));
    // An old version changes nothing, but gets a receipt.
    publish(2, ProductStatus::Archived, &[("A", 200)]).await;
    assert_eq!(total("A").await, Some(300));
    publish(4, ProductStatus::Active, &[("A", 400)]).await;
    assert_eq!((total("A").await, total("B").await), (Some(400), None));
    publish(5, ProductStatus::Draft, &[("A", 500), ("B", 500)]).await;
    assert_eq!((total("A").await, total("B").await), (None, None));
    publish(6, ProductStatus::Active, &[("A", 600)]).await;
    assert_eq!(total("A").await, Some(600));
    // A SKU is for sale as long as any product sells it.
    shop.sell(&[("B", 700)]).await;
    assert_eq!(total("B").await, Some(700));
    let deleted = ProductDeletedV1 {
        product_id: product,
        version: version(7),
        change_id: ChangeId::new(),
        deleted_at: chrono::DateTime::UNIX_EPOCH,
    };
    shop.publish_product(&deleted, product, version(7)).await;
    assert_eq!((total("A").await, total("B").await), (None, Some(700)));
    shop.close().await;
}

#[tokio::test]
async fn unreadable_change_fails_and_the_next_change_applies() {
    let shop = Shop::open(Deadlines::NONE).await;
    let product = ProductId::new();
    let unreadable = UnreadableChange { product_id: product, version: Version::FIRST };
    shop.catalogue.publish(&unreadable).await;
    shop.wait_for_receipt(product, Version::FIRST, "failed").await;
    let dead_letters = shop.admin().get("/v1/dead-letters").await.expect(200);
    assert_eq!(
        (&dead_letters["pending"], &dead_letters["items"][0]["reason"]),
        (&1.into(), &"undecodable".into())
    );
    let next = changed(product, 2, ProductStatus::Active, &[("A", 100)]);
    shop.publish_product(&next, product, Version::FIRST.next()).await;
    shop.close().await;
}

#[tokio::test]
async fn lines_keep_options_and_picture_as_they_were_bought() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let product = ProductId::new();
    let sell = async |number: i64, colour: &str, images: &[&str]| {
        let mut event = changed(product, number, ProductStatus::Active, &[("A", 100)]);
        event.variants[0].options = [("颜色".to_owned(), colour.to_owned())].into();
        event.images = images.iter().map(|&url| url.to_owned()).collect();
        shop.publish_product(&event, product, Version::try_from(number).unwrap()).await;
    };
    let line = async |order: &str| -> Value {
        let read = client.get(&format!("/v1/orders/{order}")).await.expect(200);
        let listed = client.get("/v1/orders").await.expect(200);
        let listed = listed["items"].as_array().unwrap().iter().find(|other| other["id"] == order);
        assert_eq!(listed.unwrap()["lines"], read["lines"]);
        read["lines"][0].clone()
    };
    sell(1, "红", &["https://example.com/red.jpg", "https://example.com/back.jpg"]).await;
    let red = client.post("/v1/orders", &order_request(me, &[("A", 1)], "test")).await.expect(202);
    let (options, image) = (json!({ "颜色": "红" }), json!("https://example.com/red.jpg"));
    assert_eq!((&red["lines"][0]["options"], &red["lines"][0]["image"]), (&options, &image));
    let red = red["id"].as_str().unwrap();
    client.wait(red, "confirmed").await;

    // A change of the product is seen by later orders alone.
    sell(2, "蓝", &[]).await;
    let blue = client.place(me, "A", "test").await;
    let bought = line(red).await;
    assert_eq!((&bought["options"], &bought["image"]), (&options, &image));
    let bought = line(&blue).await;
    assert_eq!((&bought["options"]["颜色"], bought.get("image")), (&json!("蓝"), None));

    // An order of an earlier version has neither.
    shop.run("update order_line set options = null, image = null").await;
    let bought = line(red).await;
    assert_eq!((bought.get("options"), bought.get("image")), (None, None));
    assert_eq!(bought["title"], json!({ "zh": "键盘 1" }));
    shop.close().await;
}
