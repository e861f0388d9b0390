//! Counts of imports set stock.

use contracts::catalog::StockCountedV1;
use runtime::clock;
use serde_json::{Value, json};
use service_testkit::{LONGEST_WAIT, events::product_changed};
use testkit::wait_for;
use vocabulary::{ImportId, ProductId};

use crate::suite::{Suite, placed};

fn counted(sku: &str, quantity: i64, import_id: ImportId) -> StockCountedV1 {
    let counted_at = clock::now();
    StockCountedV1 { sku: sku.parse().unwrap(), quantity, import_id, counted_at }
}

/// Waits until a SKU has these pieces on hand.
async fn wait_for_pieces(suite: &Suite, sku: &str, on_hand: i64) {
    wait_for("the count is applied", LONGEST_WAIT, async || {
        let (_, stock) = suite.get(&format!("/v1/stock/{sku}")).await;
        if stock["on_hand"] == on_hand { Ok(()) } else { Err(stock.to_string()) }
    })
    .await
    .unwrap();
}

/// Kind, pieces after it, actor and reason of each movement, the newest first.
async fn ledger(suite: &Suite, sku: &str) -> Vec<Value> {
    let (_, ledger) = suite.get(&format!("/v1/stock/{sku}/ledger")).await;
    let entries = ledger["items"].as_array().unwrap().iter();
    let shown = |entry: &Value| {
        json!([entry["kind"], entry["on_hand_after"], entry["actor"], entry["reason"]])
    };
    entries.map(shown).collect()
}

fn entry(on_hand: i64, import: ImportId) -> Value {
    json!(["set", on_hand, "product-catalog", format!("import {import}")])
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_set_stock_with_the_import_as_reason() {
    let suite = Suite::stocked(&[("A", 4), ("B", 4)]).await;
    let (first, second) = (ImportId::new(), ImportId::new());
    let counts = [
        counted("A", 12, first),
        counted("B", 0, first),
        counted("A", 9, second),
        // The same count again moves nothing.
        counted("B", 0, second),
    ];
    suite.catalogue.publish_all(&counts).await;
    wait_for_pieces(&suite, "A", 9).await;
    wait_for_pieces(&suite, "B", 0).await;
    suite.catalogue.wait_until_published().await;
    suite.wait_until_queues_are_empty().await;
    let moved = ledger(&suite, "A").await;
    assert_eq!(moved[..2], [entry(9, second), entry(12, first)]);
    assert_eq!(ledger(&suite, "B").await[..1], [entry(0, first)]);
    assert_eq!(suite.count("select count(*) from ledger").await, 5);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn count_waits_for_the_registration_of_its_sku() {
    let suite = Suite::start().await;
    let (first, second) = (ImportId::new(), ImportId::new());
    let counts = [counted("W", 5, first), counted("V", 3, first), counted("W", 7, second)];
    suite.catalogue.publish_all(&counts).await;
    wait_for("the counts wait", LONGEST_WAIT, async || {
        let pending = "select coalesce(sum(quantity), 0)::bigint from pending_count";
        match suite.count(pending).await {
            10 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await
    .unwrap();
    suite.catalogue.publish(&product_changed(ProductId::new(), 1, &["W"])).await;
    wait_for_pieces(&suite, "W", 7).await;
    assert_eq!(ledger(&suite, "W").await, [entry(7, second)]);
    assert_eq!(suite.count("select count(*) from pending_count where sku = 'V'").await, 1);
    // A count that comes after the registration takes the place of the one that waits.
    let third = ImportId::new();
    suite.catalogue.publish(&counted("V", 8, third)).await;
    suite.catalogue.publish(&product_changed(ProductId::new(), 1, &["V"])).await;
    wait_for_pieces(&suite, "V", 8).await;
    assert_eq!(ledger(&suite, "V").await, [entry(8, third)]);
    assert_eq!(suite.count("select count(*) from pending_count").await, 0);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_and_registrations_may_race() {
    let suite = Suite::start().await;
    let import = ImportId::new();
    let skus: Vec<String> = (0..300).map(|number| format!("R{number}")).collect();
    let counts: Vec<StockCountedV1> = skus.iter().map(|sku| counted(sku, 6, import)).collect();
    let products: Vec<_> =
        skus.iter().map(|sku| product_changed(ProductId::new(), 1, &[sku.as_str()])).collect();
    tokio::join!(suite.catalogue.publish_all(&counts), suite.catalogue.publish_all(&products));
    wait_for("every count is applied", LONGEST_WAIT, async || {
        match suite.count("select count(*) from stock where on_hand = 6").await {
            300 => Ok(()),
            fewer => Err(fewer.to_string()),
        }
    })
    .await
    .unwrap();
    assert_eq!(suite.count("select count(*) from ledger").await, 300);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn count_below_the_reserved_pieces_is_a_dead_letter() {
    let suite = Suite::stocked(&[("D", 5)]).await;
    suite.order.publish(&placed(&[("D", 3)])).await;
    suite.reserved.wait(1, |_| true).await;
    let import = ImportId::new();
    suite.catalogue.publish_all(&[counted("D", 2, import), counted("D", 3, import)]).await;
    wait_for_pieces(&suite, "D", 3).await;
    assert_eq!(ledger(&suite, "D").await[0], entry(3, import));
    let reason = "select count(*) from messaging.dead_letter where reason = 'below_reserved'";
    assert_eq!(suite.count(reason).await, 1);
    suite.finish(1).await;
}
