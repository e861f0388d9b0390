//! A change of a product reaches search, inventory and the next order.

use std::time::Duration;

use reqwest::Method;
use runtime::auth::Scope;
use serde_json::Value;
use system_tests::Shop;
use testkit::wait_for;

/// The ids of the products that a search finds.
async fn search(shop: &Shop, query: &str) -> Vec<String> {
    let answer = shop.get("search-sync", &format!("/v1/search?{query}")).await.unwrap();
    let items =
        answer.expect_status(200).unwrap().body["items"].as_array().cloned().unwrap_or_default();
    items.iter().filter_map(|item| item["product_id"].as_str().map(ToOwned::to_owned)).collect()
}

#[tokio::test]
async fn all_services_apply_a_change() {
    let shop = Shop::start().await.unwrap();
    let created =
        shop.create_product("极光 F87 三模机械键盘 红轴", "KB-F87-RED", 32_900).await.unwrap();
    let id = created.text("/id");
    let change = shop.wait_for_change(&created.header("change-id")).await.unwrap();
    let services: Vec<&str> = change.body["downstream"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["service"].as_str())
        .collect();
    for service in ["behavior-analytics", "inventory", "order", "search-sync"] {
        assert!(services.contains(&service), "{services:?}");
    }
    for query in
        ["q=机械键盘", "q=jixiejianpan", "q=jixie%20jianpan", "q=f87%20jixiejianpan", "q=F87"]
    {
        assert_eq!(search(&shop, query).await, std::slice::from_ref(&id), "{query}");
    }
    assert_eq!(shop.stock_of("KB-F87-RED").await.unwrap(), (0, 0, 0));

    let changed = shop.put_product(&id, "极光 M1 无线鼠标", "KB-F87-RED", 9_900).await.unwrap();
    shop.wait_for_change(&changed.header("change-id")).await.unwrap();
    assert_eq!(search(&shop, "q=无线鼠标").await, std::slice::from_ref(&id));
    assert_eq!(search(&shop, "q=三模").await, [""; 0]);

    let token = shop.token("tester", &[Scope::CatalogWrite]).unwrap();
    let path = format!("/v1/products/{id}");
    let deleted =
        shop.call(Method::DELETE, "product-catalog", &path, Some(&token), &[], None).await;
    let deleted = deleted.unwrap().expect_status(204).unwrap();
    shop.wait_for_change(&deleted.header("change-id")).await.unwrap();
    assert_eq!(search(&shop, "q=无线鼠标").await, [""; 0]);
    shop.assert_clean_audit().await.unwrap();
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn import_sets_stock() {
    let shop = Shop::start().await.unwrap();
    let file =
        "sku,title,category,price,stock\nIMP-1,Cup,a,5,12\nIMP-2,Cup,a,5,-3\nIMP-3,Cup,a,5,\n";
    let import = shop.import("", file).await.unwrap();
    assert_eq!((import.number("/counted"), import.number("/refused")), (Some(1), Some(1)));
    let wait_for_stock = async |sku: &'static str, expected: (i64, i64, i64)| {
        wait_for("inventory has the stock", Duration::from_secs(20), async || {
            let stock = shop.stock_of(sku).await.map_err(|error| error.to_string())?;
            if stock == expected { Ok(()) } else { Err(format!("{stock:?}")) }
        })
        .await
        .unwrap();
    };
    wait_for_stock("IMP-1", (12, 0, 12)).await;
    wait_for_stock("IMP-3", (0, 0, 0)).await;
    let counts = shop.import("?mode=merge", "sku,stock\nIMP-1,4\nIMP-3,7\n").await.unwrap();
    assert_eq!(counts.number("/accepted/unchanged"), Some(2));
    wait_for_stock("IMP-1", (4, 0, 4)).await;
    wait_for_stock("IMP-3", (7, 0, 7)).await;
    shop.assert_clean_audit().await.unwrap();
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn search_filters_by_stock() {
    let shop = Shop::start().await.unwrap();
    let created = shop.stocked_product("极光蓝牙耳机", "HP-1", 19_900, 3).await.unwrap();
    let id = created.text("/id");
    wait_for("search shows the product in stock", Duration::from_secs(20), async || {
        let ids = search(&shop, "q=蓝牙耳机&in_stock=true").await;
        if ids == [id.clone()] { Ok(()) } else { Err(format!("{ids:?}")) }
    })
    .await
    .unwrap();
    shop.stock("HP-1", 0).await.unwrap();
    wait_for("search shows the product out of stock", Duration::from_secs(20), async || {
        let ids = search(&shop, "q=蓝牙耳机&in_stock=true").await;
        if ids.is_empty() { Ok(()) } else { Err(format!("{ids:?}")) }
    })
    .await
    .unwrap();
    assert_eq!(search(&shop, "q=蓝牙耳机").await, [id]);
    shop.assert_clean_audit().await.unwrap();
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn next_order_uses_the_new_price() {
    let shop = Shop::start().await.unwrap();
    let created = shop.stocked_product("龙井茶", "TEA-1", 10_000, 10).await.unwrap();
    let changed = shop.put_product(&created.text("/id"), "龙井茶", "TEA-1", 7_500).await.unwrap();
    shop.wait_for_change(&changed.header("change-id")).await.unwrap();
    let customer = uuid::Uuid::now_v7().to_string();
    let placed = shop.order(&customer, "TEA-1", 2, None).await.unwrap().expect_status(202).unwrap();
    assert_eq!(placed.number("/lines/0/unit_price/amount"), Some(7_500), "{}", placed.body);
    assert_eq!(placed.number("/total/amount"), Some(15_000));
    shop.wait_for_order(&placed.text("/id"), &["confirmed", "shipped", "delivered"]).await.unwrap();
    shop.assert_clean_audit().await.unwrap();
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn all_services_serve_documents_and_problems() {
    let shop = Shop::start().await.unwrap();
    let ops = shop.token("tester", &[Scope::Ops]).unwrap();
    for service in system_tests::SERVICES {
        let document =
            shop.get(service, "/openapi.json").await.unwrap().expect_status(200).unwrap();
        assert!(
            document.body["paths"].as_object().is_some_and(|paths| !paths.is_empty()),
            "{service}"
        );
        shop.get(service, "/docs/").await.unwrap().expect_status(200).unwrap();
        shop.get(service, "/metrics").await.unwrap().expect_status(401).unwrap();
        let metrics = shop.call(Method::GET, service, "/metrics", Some(&ops), &[], None).await;
        metrics.unwrap().expect_status(200).unwrap();
        let unknown = shop.get(service, "/v1/nothing-of-the-kind").await.unwrap();
        let unknown = unknown.expect_status(404).unwrap();
        assert_eq!(unknown.header("content-type"), "application/problem+json", "{service}");
        assert!(
            unknown.body["code"].is_string() && unknown.body["trace_id"].is_string(),
            "{service}"
        );
        let dead_letters = shop.get(service, "/v1/dead-letters").await.unwrap();
        dead_letters.expect_status(401).unwrap();
    }
    let bad: Value = serde_json::json!({ "title": {}, "category": "a", "variants": [] });
    let good: Value = serde_json::json!({ "title": { "zh": "茶" }, "category": "食品/茶叶", "variants": [
        { "sku": "T-1", "options": {}, "price": { "amount": 1, "currency": "CNY" } }
    ] });
    let create = async |token: Option<&str>, body: &Value| {
        shop.call(Method::POST, "product-catalog", "/v1/products", token, &[], Some(body))
            .await
            .unwrap()
    };
    create(None, &good).await.expect_status(401).unwrap();
    let token = shop.token("tester", &[Scope::StockWrite]).unwrap();
    create(Some(&token), &good).await.expect_status(403).unwrap();
    let token = shop.token("tester", &[Scope::CatalogWrite]).unwrap();
    let refused = create(Some(&token), &bad).await.expect_status(422).unwrap();
    let fields = refused.body["errors"].as_array().cloned().unwrap_or_default();
    assert!(fields.len() >= 2, "all invalid fields are listed: {}", refused.body);
    shop.stop().await.unwrap();
}
