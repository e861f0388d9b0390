//! The copy of the catalogue: version guard, receipts and dead letters.

use contracts::catalog::{ProductDeletedV1, ProductStatus};
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
