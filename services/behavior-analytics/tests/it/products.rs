//! Products and stock: what the instance stores, and the receipts that it publishes.

use contracts::{catalog::ProductChangedV1, receipts::ProductVersion};
use serde_json::{Value, json};
use service_testkit::{
    LONGEST_WAIT,
    events::{product_changed, product_deleted, stock_changed},
};
use testkit::wait_for;
use vocabulary::{ProductId, Version};

use crate::suite::{Suite, is_receipt_for, view};

#[tokio::test(flavor = "multi_thread")]
async fn every_version_has_a_receipt_but_only_newer_ones_apply() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    // The stock arrives before the product.
    suite.inventory.publish(&stock_changed("A", 1, 3)).await;
    suite.catalogue.publish(&product_changed(id, 2, &["A", "B"])).await;
    let receipt = suite.applied.wait_one(is_receipt_for(id, 2)).await;
    assert_eq!(receipt.service, "behavior-analytics");
    suite.catalogue.publish(&product_changed(id, 1, &["C"])).await;
    suite.applied.wait_one(is_receipt_for(id, 1)).await;
    assert_eq!(suite.count("select version from product where skus = '{A,B}'").await, 2);

    suite.catalogue.publish(&product_deleted(id, 3)).await;
    suite.applied.wait_one(is_receipt_for(id, 3)).await;
    suite.catalogue.publish(&product_changed(id, 4, &["B", "A"])).await;
    suite.applied.wait_one(is_receipt_for(id, 4)).await;
    assert_eq!(suite.count("select version from product where not deleted").await, 4);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undecodable_product_event_gets_a_failed_receipt() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let data = json!({"product_id": id, "version": 1, "variants": "all of them"}).to_string();
    suite.catalogue.publish_raw::<ProductChangedV1>(&id.to_string(), 1, &data).await;
    let failed = suite.failed.wait_one(|_| true).await;
    let version = Version::try_from(1).unwrap();
    assert_eq!(failed.failed, ProductVersion { product_id: id, version });

    // The next version is applied.
    let valid = serde_json::to_string(&product_changed(id, 2, &["A"])).unwrap();
    suite.catalogue.publish_raw::<ProductChangedV1>(&id.to_string(), 2, &valid).await;
    suite.applied.wait_one(is_receipt_for(id, 2)).await;
    suite.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_misses_none_of_many_concurrent_changes() {
    let suite = Suite::start().await;
    let ids: Vec<ProductId> = (0..400).map(|_| ProductId::new()).collect();
    let sku = |number: usize| format!("MANY-{number}");
    let publish_products = async {
        for (chunk, ids) in ids.chunks(10).enumerate() {
            let product = |(number, id): (usize, &ProductId)| {
                let mut changed = product_changed(*id, 1, &[sku(chunk * 10 + number).as_str()]);
                changed.category = format!("many/{}", chunk / 5);
                changed
            };
            let products: Vec<_> = ids.iter().enumerate().map(product).collect();
            suite.catalogue.publish_all(&products).await;
        }
    };
    let publish_stock = async {
        for chunk in 0..40 {
            let levels: Vec<_> =
                (0..10).map(|number| stock_changed(&sku(chunk * 10 + number), 1, 1)).collect();
            suite.inventory.publish_all(&levels).await;
        }
    };
    let send_views = async {
        for ids in ids.chunks(100) {
            let visited =
                |(number, id): (usize, &ProductId)| view(&format!("v{}", number % 50), *id);
            let views: Vec<Value> = ids.iter().enumerate().map(visited).collect();
            suite.send(&views).await;
        }
    };
    tokio::join!(publish_products, publish_stock, send_views);
    for category in 0..8 {
        let path = format!("/v1/trending?category=many/{category}&limit=50");
        wait_for(&format!("{path} lists all products"), LONGEST_WAIT, async || {
            let listed = suite.products_at(&path).await.len();
            if listed == 50 { Ok(()) } else { Err(listed) }
        })
        .await
        .unwrap();
    }
    suite.finish(0).await;
}
