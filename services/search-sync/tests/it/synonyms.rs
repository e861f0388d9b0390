//! Synonyms: applied at run time in every process, and shown with what they touch.

use contracts::catalog::{Synonym, SynonymsChangedV1};
use reqwest::Method;
use serde_json::{Value, json};
use service_testkit::{Instance, LONGEST_WAIT, answer};
use testkit::wait_for;
use vocabulary::ProductId;

use crate::{
    events::{product, synonyms, version},
    suite::{Suite, ids, search_in},
};

/// Waits until both processes find this many products.
async fn wait_total(suite: &Suite, replica: &Instance, q: &str, expected: i64) {
    wait_for("both processes apply the synonyms", LONGEST_WAIT, async || {
        let own = suite.search(&[("q", q)]).await["total"].clone();
        let other = search_in(replica, &[("q", q)]).await["total"].clone();
        if own == expected && other == expected { Ok(()) } else { Err(format!("{own} {other}")) }
    })
    .await
    .unwrap();
}

async fn applied(suite: &Suite) -> Value {
    answer(suite.request(Method::GET, "/v1/synonyms")).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn synonyms_are_applied_replaced_and_removed() {
    let suite = Suite::start().await;
    assert_eq!(applied(&suite).await, json!({"version": 0, "items": []}));
    let id = ProductId::new();
    suite.catalogue.publish(&product(id, 1, "学生双肩包", "School bag", &["A"])).await;
    suite.wait_applied(id, 1).await;
    let replica = suite.start_replica().await;
    replica.wait_until_ready().await;
    wait_total(&suite, &replica, "rucksack", 0).await;

    let list = SynonymsChangedV1 {
        synonyms: vec![
            Synonym::TwoWay(vec!["双肩包".to_owned(), "Rucksack".to_owned()]),
            Synonym::OneWay { from: vec!["satchel".to_owned()], to: vec!["双肩包".to_owned()] },
        ],
        ..synonyms(1, &[])
    };
    suite.catalogue.publish(&list).await;
    for q in ["rucksack", "RUCKSACKS", "satchel"] {
        wait_total(&suite, &replica, q, 1).await;
        let found = suite.search(&[("q", q), ("explain", "true")]).await;
        assert_eq!((ids(&found), &found["match"]), (vec![id], &json!("exact")), "{q}");
        assert_eq!(found["items"][0]["explanation"]["words"][0]["by"], "synonym");
    }
    let word = |word: &str, products: i64| json!({"word": word, "products": products});
    let items = json!([
        {"words": [word("双肩包", 1), word("Rucksack", 0)]},
        {"from": [word("satchel", 0)], "to": [word("双肩包", 1)]},
    ]);
    assert_eq!(applied(&suite).await, json!({"version": 1, "items": items}));

    // An older list and a duplicate change nothing; an empty one removes all.
    suite.catalogue.publish(&synonyms(3, &["双肩包", "knapsack"])).await;
    wait_total(&suite, &replica, "knapsack", 1).await;
    wait_total(&suite, &replica, "rucksack", 0).await;
    suite.catalogue.publish(&SynonymsChangedV1 { version: version(2), ..list }).await;
    suite.catalogue.publish(&synonyms(3, &["双肩包", "knapsack"])).await;
    suite.settle().await;
    assert_eq!(applied(&suite).await["version"], 3);
    wait_total(&suite, &replica, "rucksack", 0).await;
    suite.catalogue.publish(&SynonymsChangedV1 { synonyms: Vec::new(), ..synonyms(4, &[]) }).await;
    wait_total(&suite, &replica, "knapsack", 0).await;
    assert_eq!(applied(&suite).await, json!({"version": 4, "items": []}));
    replica.stop().await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_synonyms_are_refused() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.publish(&product(id, 1, "学生双肩包", "School bag", &["A"])).await;
    suite.catalogue.publish(&synonyms(1, &["双肩包", "rucksack"])).await;
    suite.wait_applied(id, 1).await;
    suite.settle().await;
    for words in [vec![], vec!["双肩包", " "]] {
        suite.catalogue.publish(&synonyms(2, &words)).await;
        suite.settle().await;
    }
    let dead = "select count(*) from messaging.dead_letter where reason = 'invalid_synonyms'";
    suite.wait_count(dead, 2).await;
    assert_eq!(applied(&suite).await["version"], 1);
    assert_eq!(suite.search(&[("q", "rucksack")]).await["total"], 1);
    suite.finish(2).await;
}
