//! When a receipt is published: tested on the database alone.

use std::collections::{BTreeMap, BTreeSet};

use search_sync::{
    domain::{CatalogProduct, PendingReceipt, ProductContent, ProductStatus, SkuStock, Variant},
    storage::{documents, receipts, stock},
};
use sqlx::PgConnection;
use testkit::Database;
use vocabulary::{Currency, Money, ProductId};

use crate::events::version;

fn product(product_id: ProductId, number: i64, sku: &str) -> CatalogProduct {
    let price = Money::new(100, Currency::CNY).unwrap();
    let variants =
        vec![Variant { sku: sku.parse().unwrap(), options: BTreeMap::new(), price, barcode: None }];
    let content = Some(ProductContent { variants, ..ProductContent::default() });
    CatalogProduct { product_id, version: version(number), status: ProductStatus::Active, content }
}

async fn change_of(connection: &mut PgConnection, product: ProductId) -> i64 {
    documents::find_version(connection, product).await.unwrap().unwrap().change
}

/// The receipt that a product gets.
fn pending(product: &CatalogProduct) -> PendingReceipt {
    let CatalogProduct { product_id, version, .. } = *product;
    PendingReceipt { product_id, version, traceparent: None }
}

/// Takes the receipts of an index that contains the changes up to `applied`.
async fn taken(connection: &mut PgConnection, applied: i64) -> Vec<(ProductId, i64)> {
    let receipts = receipts::take(connection, applied, 0, 10).await.unwrap();
    receipts.into_iter().map(|one| (one.product_id, one.version.get())).collect()
}

#[tokio::test]
async fn a_receipt_waits_for_the_last_change_of_its_product() {
    let database = Database::migrated(&[&search_sync::MIGRATOR]).await.unwrap();
    let pool = database.connect().await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let (first, second) = (ProductId::new(), ProductId::new());
    let products = [product(first, 1, "A"), product(second, 7, "B")];
    documents::write(&mut connection, &products, &BTreeSet::new()).await.unwrap();
    receipts::insert(&mut connection, &products.each_ref().map(pending)).await.unwrap();
    let before = change_of(&mut connection, first).await;
    assert_eq!(taken(&mut connection, before - 1).await, []);

    // Stock changes the first product before it is indexed, so the indexer reads it at its new number only.
    let available = SkuStock { available: 1, version: version(1) };
    let sku = "A".parse().unwrap();
    stock::write(&mut connection, &[(sku, available)]).await.unwrap();
    assert!(stock::update_availability(&mut connection, &["A".parse().unwrap()]).await.unwrap());
    let after = change_of(&mut connection, first).await;
    let middle = change_of(&mut connection, second).await;
    assert!(before < middle && middle < after);
    assert_eq!(taken(&mut connection, middle).await, [(second, 7)]);
    assert_eq!(taken(&mut connection, after - 1).await, []);
    assert_eq!(taken(&mut connection, after).await, [(first, 1)]);
    assert_eq!(taken(&mut connection, after).await, []);
    drop(connection);
    pool.close().await;
}

#[tokio::test]
async fn the_receipt_of_an_edit_does_not_wait_for_an_import() {
    let database = Database::migrated(&[&search_sync::MIGRATOR]).await.unwrap();
    let pool = database.connect().await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let (imported, edited) = (ProductId::new(), ProductId::new());
    let products = [product(imported, 1, "A"), product(edited, 2, "B")];
    documents::write(&mut connection, &products, &BTreeSet::from([edited])).await.unwrap();
    receipts::insert(&mut connection, &products.each_ref().map(pending)).await.unwrap();
    let edits_applied = change_of(&mut connection, edited).await;
    assert_eq!(receipts::take(&mut connection, 0, edits_applied - 1, 10).await.unwrap(), []);
    let taken = receipts::take(&mut connection, 0, edits_applied, 10).await.unwrap();
    assert_eq!(taken.iter().map(|one| one.product_id).collect::<Vec<_>>(), [edited]);

    // The next import of the product is no edit.
    let again = [product(edited, 3, "B")];
    documents::write(&mut connection, &again, &BTreeSet::new()).await.unwrap();
    receipts::insert(&mut connection, &again.each_ref().map(pending)).await.unwrap();
    let change = change_of(&mut connection, edited).await;
    assert_eq!(receipts::take(&mut connection, 0, change, 10).await.unwrap(), []);
    drop(connection);
    pool.close().await;
}
