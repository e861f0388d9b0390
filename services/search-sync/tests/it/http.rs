//! Each endpoint: valid, invalid and forbidden requests.

use std::time::Instant;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service_testkit::{LONGEST_WAIT, answer};
use testkit::wait_for;
use vocabulary::ProductId;

use crate::{
    events::{keyboard, product, product_deleted, sku_of, stock_changed},
    suite::{Suite, ids},
};

/// Status and code of a problem.
fn code((status, body): (StatusCode, Value)) -> (u16, String) {
    (status.as_u16(), body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn search_is_public_and_operations_need_a_scope() {
    let suite = Suite::start().await;
    for path in ["/v1/search", "/v1/suggest?q=a"] {
        assert_eq!(answer(suite.request(Method::GET, path)).await.0, StatusCode::OK, "{path}");
    }
    for (method, path) in [
        (Method::GET, "/v1/index"),
        (Method::POST, "/v1/index/rebuild"),
        (Method::GET, "/v1/index/drift"),
        (Method::POST, "/v1/index/repair"),
        (Method::GET, "/v1/dead-letters"),
    ] {
        let anonymous = answer(suite.request(method.clone(), path)).await;
        assert_eq!(code(anonymous), (401, "unauthorized".to_owned()), "{method} {path}");
        let unprivileged = answer(suite.as_unprivileged(method.clone(), path)).await;
        assert_eq!(code(unprivileged), (403, "insufficient_scope".to_owned()), "{method} {path}");
    }
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_parameters_are_rejected() {
    let suite = Suite::start().await;
    let (validation, query) = ((422, "validation_failed"), (400, "invalid_query"));
    let long = format!("/v1/search?category={}", "a".repeat(257));
    for (path, (status, expected)) in [
        ("/v1/search?limit=101", validation),
        ("/v1/search?limit=-1", validation),
        ("/v1/search?limit=ten", validation),
        ("/v1/search?sort=cheap", validation),
        ("/v1/search?facets=brand,colour", validation),
        ("/v1/search?in_stock=maybe", validation),
        ("/v1/search?price_min=5&price_max=4", validation),
        ("/v1/search?price_max=99999999999999999999", validation),
        ("/v1/search?currency=RMB", validation),
        ("/v1/search?attr_min.a=b", validation),
        ("/v1/search?attr_min.a=2&attr_max.a=1", validation),
        ("/v1/search?attr_min.=1", query),
        ("/v1/search?currency=XXX", validation),
        ("/v1/search?cursor=!", validation),
        ("/v1/search?q=a&q=b", validation),
        ("/v1/search?product_id=7", validation),
        ("/v1/search?min_version=1&wait_ms=60000", validation),
        (long.as_str(), validation),
        ("/v1/search?colour=red", query),
        ("/v1/search?attr.=red", query),
        ("/v1/suggest", validation),
        ("/v1/suggest?q=a&limit=21", validation),
        ("/v1/suggest?q=a&brand=b", query),
    ] {
        let rejected = code(answer(suite.request(Method::GET, path)).await);
        assert_eq!(rejected, (status, expected.to_owned()), "{path}");
    }
    for path in ["/v1/search?q=", "/v1/suggest?q="] {
        let long = format!("{path}{}", "a".repeat(10_000));
        assert_eq!(answer(suite.request(Method::GET, &long)).await.0, StatusCode::OK, "{path}");
    }
    let (_, problem) = answer(suite.request(Method::GET, "/v1/search?sort=x&limit=x")).await;
    let fields = problem["errors"].as_array().unwrap().iter();
    let fields: Vec<&str> = fields.map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["sort", "limit"]);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_are_filtered_sorted_and_paged() {
    let suite = Suite::start().await;
    let products: Vec<_> = (0..25_i64)
        .map(|place| {
            let id = ProductId::new();
            let mut event = product(id, 1, "机械键盘", "Keyboard", &[&sku_of(id)]);
            let price = json!({"amount": 10_000 + place, "currency": "CNY"});
            event.variants[0].price = serde_json::from_value(price).unwrap();
            event.brand = Some(if place % 2 == 0 { "AULA" } else { "Cherry, Inc." }.to_owned());
            event
        })
        .collect();
    suite.catalogue.publish_all(&products).await;
    for product in &products {
        suite.wait_applied(product.product_id, 1).await;
    }

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = [("q", "键盘"), ("sort", "price_asc"), ("limit", "10"), ("cursor", &cursor)];
        let page = suite.search(&page).await;
        assert_eq!(page["total"], 25);
        seen.extend(ids(&page));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
    }
    let expected: Vec<ProductId> = products.iter().map(|one| one.product_id).collect();
    assert_eq!(seen, expected);
    let foreign = [("q", "鼠标"), ("cursor", cursor.as_str())];
    let foreign = suite.request(Method::GET, "/v1/search").query(&foreign);
    assert_eq!(code(answer(foreign).await), (422, "validation_failed".to_owned()));

    let total = async |parameters: &[(&str, &str)]| suite.search(parameters).await["total"].clone();
    assert_eq!(total(&[("brand", "aula")]).await, 13);
    assert_eq!(total(&[("brand", "aula,nobody")]).await, 13);
    assert_eq!(total(&[("brand", "cherry, inc.")]).await, 12);
    assert_eq!(total(&[("price_min", "10005"), ("price_max", "10006")]).await, 2);
    assert_eq!(total(&[("category", "数码")]).await, 25);
    assert_eq!(total(&[("category", "数码/鼠标")]).await, 0);
    assert_eq!(total(&[("attr.轴体", "青轴"), ("attr.轴体", "红轴")]).await, 25);
    assert_eq!(total(&[("attr.轴体", "青轴")]).await, 0);
    let counted = suite.search(&[("facets", "price,in_stock"), ("limit", "0")]).await;
    assert_eq!(counted["price_range"], json!({"min": 10_000, "max": 10_024}));
    assert_eq!(counted["facets"]["in_stock"], json!([{"value": "false", "count": 25}]));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_are_searched_filtered_and_counted() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let mut event = product(id, 1, "帆布鞋", "Canvas shoes", &["X1-RED", "X1-WHITE"]);
    for (variant, (colour, size, barcode, amount)) in event
        .variants
        .iter_mut()
        .zip([("绛紫色", "9", "6901234567892", 990), ("月白色", "42.5", "6901234567908", 59_900)])
    {
        let price = json!({"amount": amount, "currency": "CNY"});
        variant.price = serde_json::from_value(price).unwrap();
        variant.options = [("颜色", colour), ("尺码", size)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        variant.barcode = Some(barcode.to_owned());
    }
    suite.catalogue.publish(&event).await;
    suite.wait_applied(id, 1).await;
    for q in ["6901234567892", "x1-white", "绛紫色"] {
        let found = suite.search(&[("q", q)]).await;
        assert_eq!((ids(&found), &found["match"]), (vec![id], &json!("exact")), "{q}");
    }
    let counted = suite.search(&[("facets", "attr.颜色"), ("limit", "0")]).await;
    let colours = json!([{"value": "月白色", "count": 1}, {"value": "绛紫色", "count": 1}]);
    assert_eq!(counted["facets"]["attr.颜色"], colours);
    let filter = [("attr.颜色", "月白色")];
    assert_eq!(suite.search(&filter).await["total"], 1);
    let sizes = suite.search(&[("facets", "attr.尺码"), ("limit", "0")]).await;
    let counts = json!([{"value": "9", "count": 1, "number": 9.0}, {"value": "42.5", "count": 1, "number": 42.5}]);
    assert_eq!(sizes["facets"]["attr.尺码"], counts);
    assert_eq!(sizes["number_ranges"], json!({"attr.尺码": {"min": 9.0, "max": 42.5}}));
    for (min, max, total) in [("9", "42", 1), ("10", "42", 0), ("42.5", "43", 1)] {
        let range = [("attr_min.尺码", min), ("attr_max.尺码", max)];
        assert_eq!(suite.search(&range).await["total"], total, "{min}..{max}");
    }
    let available = [("attr.颜色", "月白色"), ("in_stock", "true")];
    assert_eq!(suite.search(&available).await["total"], 0);

    // The stock of each variant counts: the price of one that is sold out advertises nothing.
    let price = async || suite.search(&[]).await["items"][0]["price_min"]["amount"].clone();
    assert_eq!(price().await, 990);
    suite.inventory.publish(&stock_changed("X1-WHITE", 1, 5)).await;
    wait_for("the variant is in stock", LONGEST_WAIT, async || {
        let total = suite.search(&available).await["total"].clone();
        if total == 1 { Ok(()) } else { Err(total) }
    })
    .await
    .unwrap();
    assert_eq!(price().await, 59_900);
    suite.inventory.publish(&stock_changed("X1-RED", 1, 5)).await;
    wait_for("the cheaper variant is in stock", LONGEST_WAIT, async || {
        let price = price().await;
        if price == 990 { Ok(()) } else { Err(price) }
    })
    .await
    .unwrap();
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_contain_the_kind_of_their_match() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.publish(&product(id, 1, "飞织跑步鞋 女款", "Running shoes", &["A"])).await;
    suite.wait_applied(id, 1).await;
    for (q, total, kind) in [
        ("跑步鞋", 1, "exact"),
        ("paobuxie", 1, "corrected"),
        ("女鞋", 1, "guess"),
        ("红米", 0, "nothing"),
        ("🎧", 0, "not_understood"),
        ("", 1, "browse"),
    ] {
        let found = suite.search(&[("q", q)]).await;
        assert_eq!((&found["total"], &found["match"]), (&json!(total), &json!(kind)), "{q}");
        for hit in found["items"].as_array().unwrap() {
            assert_eq!(hit["match"], kind, "{q}");
        }
    }
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_for_a_price_become_a_filter() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let mut event = keyboard(id, 1);
    event.variants[0].price =
        serde_json::from_value(json!({"amount": 25_900, "currency": "CNY"})).unwrap();
    suite.catalogue.publish(&event).await;
    suite.wait_applied(id, 1).await;
    for (q, total) in [("200元以下的键盘", 0), ("300元以下的键盘", 1), ("键盘 200-300元", 1)]
    {
        assert_eq!(suite.search(&[("q", q)]).await["total"], total, "{q}");
    }
    let found = suite.search(&[("q", "200元以下的键盘")]).await;
    let words = json!({
        "q": "键盘", "words": ["200元以下"], "price_min": null, "price_max": 20_000, "sort": null
    });
    assert_eq!(found["price_words"], words);
    let found = suite.search(&[("q", "200元以下的键盘"), ("price_words", "false")]).await;
    assert_eq!(found["price_words"], Value::Null);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_has_one_currency() {
    let suite = Suite::start().await;
    let (domestic, foreign) = (ProductId::new(), ProductId::new());
    let mut yuan = product(domestic, 1, "跑步鞋", "Running shoes", &["A", "B"]);
    let mut yen = product(foreign, 1, "帆布鞋", "Canvas shoes", &["C"]);
    for (variant, price) in yuan.variants.iter_mut().chain(&mut yen.variants).zip([
        json!({"amount": 10_000, "currency": "CNY"}),
        json!({"amount": 100_000, "currency": "CNY"}),
        json!({"amount": 1_299, "currency": "JPY"}),
    ]) {
        variant.price = serde_json::from_value(price).unwrap();
    }
    suite.catalogue.publish_all(&[yuan, yen]).await;
    suite.wait_applied(domestic, 1).await;
    suite.wait_applied(foreign, 1).await;

    let between = async |min: &str, max: &str, currency: &str| {
        let range = [("price_min", min), ("price_max", max), ("currency", currency)];
        ids(&suite.search(&range).await)
    };
    assert_eq!(between("40000", "50000", "CNY").await, []);
    assert_eq!(between("50000", "150000", "CNY").await, [domestic]);
    assert_eq!(between("1000", "20000", "JPY").await, [foreign]);
    // The shop has an own currency.
    let page = suite.search(&[("q", "鞋 2000以下"), ("facets", "price")]).await;
    assert_eq!((ids(&page), &page["currency"]), (vec![domestic], &json!("CNY")));
    assert_eq!(page["price_range"], json!({"min": 10_000, "max": 100_000}));
    let page = suite.search(&[("q", "鞋 2000以下"), ("currency", "JPY")]).await;
    assert_eq!((ids(&page), &page["currency"]), (vec![foreign], &json!("JPY")));
    assert_eq!(page["price_words"]["price_max"], 2_000);
    assert_eq!(page["items"][0]["price_min"], json!({"amount": 1_299, "currency": "JPY"}));

    let query = [("sort", "price_asc"), ("currency", "JPY")];
    let page = suite.search(&[&query[..], &[("limit", "1")]].concat()).await;
    assert_eq!(ids(&page), [foreign]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = suite.search(&[&query[..], &[("cursor", cursor)]].concat()).await;
    assert_eq!(ids(&next), [domestic]);
    let other = [("sort", "price_asc"), ("cursor", cursor)];
    let other = suite.request(Method::GET, "/v1/search").query(&other);
    assert_eq!(code(answer(other).await), (422, "validation_failed".to_owned()));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_get_suggestions() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.publish(&keyboard(id, 1)).await;
    suite.wait_applied(id, 1).await;
    let suggest = async |q: &str| {
        let request = suite.request(Method::GET, "/v1/suggest").query(&[("q", q)]);
        answer(request).await.1["items"].clone()
    };
    assert_eq!(suggest("aul").await[0], json!({"text": "AULA", "kind": "brand"}));
    let products = suggest("jixie").await;
    let products = products.as_array().unwrap();
    let product = json!({"text": "狼蛛F87 三模机械键盘", "kind": "product", "product_id": id});
    assert!(products.contains(&product), "{products:?}");
    assert_eq!(suggest("zzz").await, json!([]));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_waits_for_the_callers_write() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let read = async |version: i64, wait: &str| {
        let (product, version) = (id.to_string(), version.to_string());
        let parameters = [
            ("product_id", &*product),
            ("min_version", &*version),
            ("wait_ms", wait),
            ("q", "F87"),
        ];
        let answer = suite.search(&parameters).await;
        (answer["caught_up"].as_bool().unwrap(), answer["total"].as_i64().unwrap())
    };
    let started = Instant::now();
    assert_eq!(read(1, "100").await, (false, 0));
    assert!(started.elapsed().as_millis() >= 100);
    let event = keyboard(id, 1);
    let any_hit = [("q", "F87"), ("min_version", "1"), ("wait_ms", "10000")];
    let (read_first, hit, ()) =
        tokio::join!(read(1, "10000"), suite.search(&any_hit), suite.catalogue.publish(&event));
    assert_eq!(read_first, (true, 1));
    assert_eq!((&hit["caught_up"], &hit["items"][0]["version"]), (&json!(true), &json!(1)));
    let newer = [("q", "F87"), ("min_version", "2"), ("wait_ms", "0")];
    assert_eq!(suite.search(&newer).await["caught_up"], false);
    // A condition that is already met needs no wait.
    assert_eq!(read(1, "0").await, (true, 1));
    suite.catalogue.publish(&product_deleted(id, 2)).await;
    assert_eq!(read(2, "10000").await, (true, 0));
    assert_eq!(read(3, "0").await, (false, 0));

    let change = suite.index().await["change"].as_i64().unwrap();
    let by_change = async |change: i64| {
        let change = change.to_string();
        suite.search(&[("min_change", &change), ("wait_ms", "0")]).await["caught_up"].clone()
    };
    assert_eq!((by_change(change).await, by_change(change + 1).await), (json!(true), json!(false)));
    suite.finish(0).await;
}
