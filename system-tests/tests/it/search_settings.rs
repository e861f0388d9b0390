//! Synonyms and merchandising rules travel from the catalogue to every search.

use std::time::Duration;

use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Value, json};
use system_tests::{Shop, second};
use testkit::wait_for;

/// Waits until both instances of search find this many products.
async fn wait_total(shop: &Shop, query: &str, expected: i64) {
    let (other, path) = (second("search-sync"), format!("/v1/search?{query}"));
    wait_for("both instances apply the settings", Duration::from_secs(20), async || {
        for instance in ["search-sync", other.as_str()] {
            let answer = shop.get(instance, &path).await.map_err(|error| error.to_string())?;
            if answer.number("/total") != Some(expected) {
                return Err(format!("{instance}: {}", answer.body));
            }
        }
        Ok(())
    })
    .await
    .unwrap();
}

/// Sends a request to the catalogue that must be answered with this status.
async fn edit(shop: &Shop, method: Method, path: &str, body: Option<&Value>, status: u16) -> Value {
    let token = shop.token("tester", &[Scope::CatalogWrite]).unwrap();
    let answer = shop.call(method, "product-catalog", path, Some(&token), &[], body).await.unwrap();
    answer.expect_status(status).unwrap().body
}

#[tokio::test]
async fn synonyms_and_rules_reach_every_search() {
    let mut shop = Shop::start().await.unwrap();
    shop.start_second_instances().await.unwrap();
    let created = shop.create_product("学生双肩包 大容量", "BAG-1", 9_900).await.unwrap();
    shop.wait_for_change(&created.header("change-id")).await.unwrap();
    // The shop begins with a list.
    wait_total(&shop, "q=书包", 1).await;
    wait_total(&shop, "q=backpacks", 1).await;
    wait_total(&shop, "q=rucksack", 0).await;
    let mut list = shop.get("product-catalog", "/v1/synonyms").await.unwrap().body;
    let mut items = list["items"].take();
    items.as_array_mut().unwrap().push(json!({"from": ["rucksack"], "to": ["双肩包"]}));
    let body = json!({ "items": items });
    edit(&shop, Method::PUT, "/v1/synonyms", Some(&body), 200).await;
    wait_total(&shop, "q=rucksack", 1).await;
    let applied = shop.get("search-sync", "/v1/synonyms").await.unwrap().body;
    let last = applied["items"].as_array().unwrap().last().unwrap();
    assert_eq!((&applied["version"], &last["to"][0]["products"]), (&json!(2), &json!(1)));

    let rule =
        json!({"action": "hide", "where": {"query": "书包"}, "products": [created.text("/id")]});
    let rule = edit(&shop, Method::POST, "/v1/rules", Some(&rule), 201).await;
    wait_total(&shop, "q=书包", 0).await;
    wait_total(&shop, "q=双肩包", 1).await;
    shop.kill("search-sync").await.unwrap();
    shop.launch("search-sync").unwrap();
    shop.wait_until_ready().await.unwrap();
    wait_total(&shop, "q=书包", 0).await;
    let path = format!("/v1/rules/{}", rule["id"].as_str().unwrap());
    edit(&shop, Method::DELETE, &path, None, 204).await;
    wait_total(&shop, "q=书包", 1).await;
    shop.wait_for_clean_audit(Duration::from_mins(1)).await.unwrap();
    shop.stop().await.unwrap();
}
