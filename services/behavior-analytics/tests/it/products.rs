//! What the catalogue says is known here, and answered with receipts.

use contracts::{catalog::ProductChangedV1, receipts::ProductVersion};
use serde_json::{Value, json};
use testkit::wait_for;
use vocabulary::{ProductId, Version};

use crate::suite::{PATIENCE, Suite, deleted, is_receipt_for, product, stock, view};

#[tokio::test(flavor = "multi_thread")]
async fn every_version_has_a_receipt_and_only_newer_ones_an_effect() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    // The stock is heard of before the product.
    suite.inventory.say(&stock("A", 1, 3)).await;
    suite.catalogue.say(&product(id, 2, &["A", "B"])).await;
    let receipt = suite.applied.wait(is_receipt_for(id, 2)).await;
    assert_eq!(receipt.service, "behavior-analytics");
    suite.catalogue.say(&product(id, 1, &["C"])).await;
    suite.applied.wait(is_receipt_for(id, 1)).await;
    assert_eq!(suite.count("select version from product where skus = '{A,B}'").await, 2);

    suite.catalogue.say(&deleted(id, 3)).await;
    suite.applied.wait(is_receipt_for(id, 3)).await;
    suite.catalogue.say(&product(id, 4, &["B", "A"])).await;
    suite.applied.wait(is_receipt_for(id, 4)).await;
    assert_eq!(suite.count("select version from product where not deleted").await, 4);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_a_dead_letter_and_a_failed_receipt() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let data = json!({"product_id": id, "version": 1, "variants": "all of them"}).to_string();
    suite.catalogue.say_raw::<ProductChangedV1>(&id.to_string(), 1, &data).await;
    let failed = suite.failed.wait(|_| true).await;
    let version = Version::try_from(1).unwrap();
    assert_eq!(failed.failed, ProductVersion { product_id: id, version });

    // The next version puts it right.
    let mended = serde_json::to_string(&product(id, 2, &["A"])).unwrap();
    suite.catalogue.say_raw::<ProductChangedV1>(&id.to_string(), 2, &mended).await;
    suite.applied.wait(is_receipt_for(id, 2)).await;
    suite.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_misses_none_of_many_that_change_at_once() {
    let suite = Suite::start().await;
    let ids: Vec<ProductId> = (0..400).map(|_| ProductId::new()).collect();
    let sku = |number: usize| format!("MANY-{number}");
    let say_products = async {
        for (chunk, ids) in ids.chunks(10).enumerate() {
            let of = |(number, id): (usize, &ProductId)| {
                let mut one = product(*id, 1, &[sku(chunk * 10 + number).as_str()]);
                one.category = format!("many/{}", chunk / 5);
                one
            };
            let products: Vec<_> = ids.iter().enumerate().map(of).collect();
            suite.catalogue.say_all(&products).await;
        }
    };
    let say_stock = async {
        for chunk in 0..40 {
            let levels: Vec<_> =
                (0..10).map(|number| stock(&sku(chunk * 10 + number), 1, 1)).collect();
            suite.inventory.say_all(&levels).await;
        }
    };
    let look = async {
        for ids in ids.chunks(100) {
            let views: Vec<Value> = ids.iter().map(|id| view("v", *id)).collect();
            suite.send(&views).await;
        }
    };
    tokio::join!(say_products, say_stock, look);
    for category in 0..8 {
        let path = format!("/v1/trending?category=many/{category}&limit=50");
        wait_for(&format!("all of {path} are known"), PATIENCE, async || {
            let shown = suite.products_at(&path).await.len();
            if shown == 50 { Ok(()) } else { Err(shown) }
        })
        .await
        .unwrap();
    }
    suite.finish(0).await;
}
