//! The copy of the catalogue: it follows versions, answers with receipts, and tells what it could not apply.

use contracts::catalog::{ProductDeletedV1, ProductStatus};
use vocabulary::{ChangeId, ProductId, Version};

use crate::shop::{Deadlines, Garbled, Shop, changed, wanted};

#[tokio::test]
async fn the_newest_version_counts_and_every_version_is_receipted() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let product = ProductId::new();
    let version = |number: i64| Version::try_from(number).unwrap();
    let say = async |number: i64, status, prices: &[(&str, i64)]| {
        shop.say_product(&changed(product, number, status, prices), product, version(number)).await;
    };
    let total = async |sku: &str| {
        let placed = client.post("/v1/orders", &wanted(me, &[(sku, 1)], "manual")).await;
        if placed.status == 202 { placed.body["total"]["amount"].as_i64() } else { None }
    };
    say(3, ProductStatus::Active, &[("A", 300), ("B", 300)]).await;
    assert_eq!(total("A").await, Some(300));
    // A late version changes nothing, and is receipted all the same: what it changed is settled.
    say(2, ProductStatus::Archived, &[("A", 200)]).await;
    assert_eq!(total("A").await, Some(300));
    say(4, ProductStatus::Active, &[("A", 400)]).await;
    assert_eq!((total("A").await, total("B").await), (Some(400), None));
    say(5, ProductStatus::Draft, &[("A", 500), ("B", 500)]).await;
    assert_eq!((total("A").await, total("B").await), (None, None));
    say(6, ProductStatus::Active, &[("A", 600)]).await;
    assert_eq!(total("A").await, Some(600));
    // A SKU that another product sells is for sale, whatever becomes of the first.
    shop.sell(&[("B", 700)]).await;
    assert_eq!(total("B").await, Some(700));
    let deleted = ProductDeletedV1 {
        product_id: product,
        version: version(7),
        change_id: ChangeId::new(),
        deleted_at: chrono::DateTime::UNIX_EPOCH,
    };
    shop.say_product(&deleted, product, version(7)).await;
    assert_eq!((total("A").await, total("B").await), (None, Some(700)));
    shop.close().await;
}

#[tokio::test]
async fn a_change_that_cannot_be_read_is_told_to_have_failed_and_the_next_goes_on() {
    let shop = Shop::open(Deadlines::NONE).await;
    let product = ProductId::new();
    let mut tx = shop.catalogue.begin().await.unwrap();
    tx.emit(&Garbled { product_id: product, version: Version::FIRST }).unwrap();
    tx.commit().await.unwrap();
    shop.wait_for_receipt(product, Version::FIRST, "failed").await;
    let letters = shop.admin().get("/v1/dead-letters").await.expect(200);
    assert_eq!(
        (&letters["pending"], &letters["items"][0]["reason"]),
        (&1.into(), &"undecodable".into())
    );
    let next = changed(product, 2, ProductStatus::Active, &[("A", 100)]);
    shop.say_product(&next, product, Version::FIRST.next()).await;
    shop.close().await;
}
