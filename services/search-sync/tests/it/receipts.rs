//! When a receipt may be said: a question to the database alone.

use search_sync::{
    domain::{Content, Listing, State, Variant},
    storage::{
        documents,
        receipts::{self, Due},
        stock,
    },
};
use sqlx::PgConnection;
use testkit::Database;
use vocabulary::{Currency, Money, ProductId};

use crate::shop::version;

fn listing(product_id: ProductId, number: i64, sku: &str) -> Listing {
    let price = Money::new(100, Currency::CNY).unwrap();
    let variants = vec![Variant { sku: sku.parse().unwrap(), price }];
    let content = Some(Content { variants, ..Content::default() });
    Listing { product_id, version: version(number), state: State::Active, content }
}

async fn change_of(connection: &mut PgConnection, product: ProductId) -> i64 {
    documents::find(connection, product).await.unwrap().unwrap().change
}

/// Takes the receipts that are due with an index that has the changes up to the number `applied`.
async fn taken(connection: &mut PgConnection, applied: i64) -> Vec<(ProductId, i64)> {
    let due = receipts::take(connection, applied, 10).await.unwrap();
    due.into_iter().map(|one| (one.product_id, one.version.get())).collect()
}

#[tokio::test]
async fn a_receipt_is_due_until_the_index_has_the_last_change_of_its_product() {
    let database = Database::migrated(&[&search_sync::MIGRATOR]).await.unwrap();
    let pool = database.connect().await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let (first, second) = (ProductId::new(), ProductId::new());
    let listings = [listing(first, 1, "A"), listing(second, 7, "B")];
    documents::write(&mut connection, &listings).await.unwrap();
    let due = listings.map(|one| Due {
        product_id: one.product_id,
        version: one.version,
        traceparent: None,
    });
    receipts::note(&mut connection, &due).await.unwrap();
    let before = change_of(&mut connection, first).await;
    assert_eq!(taken(&mut connection, before - 1).await, []);

    // The first turns out to be in stock before the index has read it: the tail meets it at its new number only.
    let level = search_sync::domain::Level { available: 1, version: version(1) };
    let sku = "A".parse().unwrap();
    stock::write(&mut connection, &[(sku, level)]).await.unwrap();
    assert!(stock::flip(&mut connection, &["A".parse().unwrap()]).await.unwrap());
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
