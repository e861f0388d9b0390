//! Recommendations, trends and statistics from user events and orders.

use std::time::{Duration, Instant};

use contracts::catalog::ProductStatus;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service_testkit::{
    LONGEST_WAIT, answer,
    events::{product_changed, product_deleted, stock_changed},
};
use testkit::wait_for;
use vocabulary::{CustomerId, ProductId};

use crate::suite::{Suite, event, order_confirmed, products_of, view};

/// A shop with these SKUs in stock, and five visitors who viewed the first two products.
async fn browsed_shop(skus: &[&str]) -> (Suite, Vec<ProductId>) {
    let suite = Suite::start().await;
    let mut products = Vec::new();
    for sku in skus {
        products.push(suite.stocked_product(sku, "数码/电脑外设").await);
    }
    let events: Vec<Value> = (0..5)
        .flat_map(|n| products[..2].iter().map(move |seen| view(&format!("v{n}"), *seen)))
        .collect();
    suite.send(&events).await;
    (suite, products)
}

#[tokio::test(flavor = "multi_thread")]
async fn views_give_similar_products_and_orders_companions() {
    let (suite, ids) = browsed_shop(&["A", "B", "C"]).await;
    suite.wait_for_list(&format!("/v1/recommendations/similar/{}", ids[0]), &[ids[1]]).await;
    let (_, similar) =
        answer(suite.request(Method::GET, &format!("/v1/recommendations/similar/{}", ids[0])))
            .await;
    let item = &similar["items"][0];
    assert!(item["score"].is_number(), "{item}");
    let reason = json!({"code": "viewed_together", "text": "看了又看", "because": [ids[0]]});
    assert_eq!(item["reason"], reason);
    let english = format!("/v1/recommendations/similar/{}?lang=en", ids[0]);
    let (_, english) = answer(suite.request(Method::GET, &english)).await;
    assert_eq!(english["items"][0]["reason"]["text"], "Viewed together");

    // The third product has no views, so its list has the products in demand in its category.
    let cold = format!("/v1/recommendations/similar/{}", ids[2]);
    let (_, cold) = answer(suite.request(Method::GET, &cold)).await;
    assert_eq!(products_of(&cold).len(), 2, "{cold}");
    assert_eq!(cold["items"][0]["reason"]["code"], "trending_in_category");

    let companions = format!("/v1/recommendations/companions/{}", ids[0]);
    assert_eq!(suite.products_at(&companions).await, []);
    for _ in 0..2 {
        suite.order.publish(&order_confirmed(CustomerId::new(), &[ids[0], ids[2], ids[0]])).await;
    }
    suite.wait_for_list(&companions, &[ids[2]]).await;

    // A visitor who knows one product gets the other one; known products fill up the list.
    suite.send(&[view("v9", ids[0])]).await;
    let limited = "/v1/recommendations/for/v9?limit=1";
    suite.wait_for_list(limited, &[ids[1]]).await;
    let listed = suite.products_at("/v1/recommendations/for/v1").await;
    assert!(listed.contains(&ids[0]), "{listed:?}");

    let session =
        json!({"product_ids": [ids[0]], "session_id": "s", "visitor_id": "v1", "limit": 1});
    let (status, list) =
        answer(suite.request(Method::POST, "/v1/recommendations/session").json(&session)).await;
    assert_eq!((status, products_of(&list)), (StatusCode::OK, vec![ids[1]]));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_visitor_reads_the_personal_list() {
    let (suite, ids) = browsed_shop(&["A", "B"]).await;
    let path = "/v1/recommendations/for/v1";
    let own = suite.as_visitor("v1", Method::GET, path);
    let (status, list) = answer(own).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    assert!(products_of(&list).iter().all(|product| ids.contains(product)), "{list}");
    for (request, status, code) in [
        (suite.request(Method::GET, path), StatusCode::UNAUTHORIZED, "unauthorized"),
        (suite.as_visitor("v2", Method::GET, path), StatusCode::FORBIDDEN, "not_yours"),
        (suite.as_unauthorized(Method::GET, path), StatusCode::FORBIDDEN, "not_yours"),
    ] {
        let (refused, problem) = answer(request).await;
        assert_eq!((refused, problem["code"].as_str()), (status, Some(code)));
    }
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_available_products_are_trending() {
    let (suite, ids) = browsed_shop(&["A", "B"]).await;
    let book = suite.stocked_product("C", "图书/小说").await;
    let cart = event("cart_added", "v1", ids[1]);
    suite.send(&[cart, view("v1", book), view("v1", ProductId::new())]).await;
    suite.wait_for_list("/v1/trending", &[ids[1], ids[0], book]).await;
    suite.wait_for_list("/v1/trending?category=图书&window=day", &[book]).await;
    suite.wait_for_list("/v1/trending?limit=1", &[ids[1]]).await;
    let (_, trends) = answer(suite.request(Method::GET, "/v1/trending?category=数码")).await;
    assert_eq!(trends["items"][0]["reason"]["code"], "trending_in_category");

    // Sold out; back in stock; an older stock event has no effect; archived; deleted.
    suite.inventory.publish(&stock_changed("B", 2, 0)).await;
    suite.wait_for_list("/v1/trending", &[ids[0], book]).await;
    suite.inventory.publish(&stock_changed("B", 4, 1)).await;
    suite.wait_for_list("/v1/trending", &[ids[1], ids[0], book]).await;
    suite.inventory.publish(&stock_changed("B", 3, 0)).await;
    let mut archived = product_changed(ids[0], 2, &["A"]);
    archived.status = ProductStatus::Archived;
    suite.catalogue.publish(&archived).await;
    suite.wait_for_list("/v1/trending", &[ids[1], book]).await;
    suite.catalogue.publish(&product_deleted(book, 2)).await;
    suite.wait_for_list("/v1/trending", &[ids[1]]).await;
    suite.finish(0).await;
}

/// The responses to all queries, without what depends on the time of the query.
async fn all_responses(suite: &Suite, products: &[ProductId]) -> Vec<Value> {
    let mut paths = vec!["/v1/trending".to_owned(), "/v1/trending?window=day".to_owned()];
    for product in products {
        paths.push(format!("/v1/recommendations/similar/{product}"));
        paths.push(format!("/v1/recommendations/companions/{product}"));
    }
    paths.extend((0..6).map(|n| format!("/v1/recommendations/for/v{n}")));
    let span = "from=2026-01-01T00:00:00Z&to=2026-12-31T00:00:00Z";
    paths.extend([format!("/v1/funnel?{span}"), format!("/v1/sessions?{span}")]);
    let mut answers = Vec::new();
    for path in paths {
        let (status, mut answer) = suite.get(&path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        // Scores decay over time.
        for item in answer["items"].as_array_mut().into_iter().flatten() {
            item["score"] = Value::Null;
        }
        answers.push(json!([path, answer]));
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_process_gives_the_same_answers() {
    let (mut suite, ids) = browsed_shop(&["A", "B", "C", "D"]).await;
    let mut events = vec![view("v1", ids[2]), event("cart_added", "v1", ids[2])];
    events.push(event("checkout_started", "v1", ids[2]));
    let mut ordered = event("order_completed", "v1", ids[2]);
    ordered["properties"] = json!({"product_ids": [ids[2], ids[3]]});
    events.push(ordered);
    events.push(view("v2", ids[2]));
    suite.send(&events).await;
    suite.order.publish(&order_confirmed(CustomerId::new(), &[ids[0], ids[2]])).await;
    suite.wait_for_list(&format!("/v1/recommendations/companions/{}", ids[0]), &[ids[2]]).await;
    // All events are learned: six views of weight, and the order.
    suite.wait_for_list("/v1/trending?limit=1", &[ids[2]]).await;
    let before = all_responses(&suite, &ids).await;
    let (_, funnel) = suite.get("/v1/funnel").await;
    assert_eq!((&funnel["sessions"], &funnel["steps"][3]["sessions"]), (&json!(5), &json!(1)));
    let (_, sessions) = suite.get("/v1/sessions").await;
    assert_eq!((&sessions["events"], &sessions["visitors"]), (&json!(15), &json!(5)));
    let (_, top) = suite.get("/v1/reports/top-products").await;
    let row = json!({"product_id": ids[2], "views": 2, "clicks": 0, "carts": 1, "orders": 1});
    assert!(top["items"].as_array().unwrap().contains(&row), "{top}");
    suite.restart().await;
    assert_eq!(all_responses(&suite, &ids).await, before);

    // It continues to learn.
    suite.send(&[view("v7", ids[3]), view("v7", ids[1])]).await;
    suite
        .wait_for_list(&format!("/v1/recommendations/similar/{}?limit=1", ids[3]), &[ids[1]])
        .await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_learn_from_each_others_events() {
    let (suite, ids) = browsed_shop(&["A", "B"]).await;
    let replica = suite.start_replica().await;
    let similar = format!("/v1/recommendations/similar/{}", ids[0]);
    suite.send(&[view("w", ids[1])]).await;
    wait_for("the replica is up to date", LONGEST_WAIT, async || {
        let (_, list) = answer(replica.request(Method::GET, &similar)).await;
        if products_of(&list) == [ids[1]] { Ok(()) } else { Err(list) }
    })
    .await
    .unwrap();
    replica.stop().await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_affects_answers_within_a_second() {
    let (suite, ids) = browsed_shop(&["A", "B", "C"]).await;
    suite.wait_for_list(&format!("/v1/recommendations/similar/{}", ids[0]), &[ids[1]]).await;
    let mut slowest = Duration::ZERO;
    for round in 0..10 {
        let visitor = format!("w{round}");
        suite.send(&[view(&visitor, ids[2])]).await;
        let accepted = Instant::now();
        let session = json!({"session_id": "s", "visitor_id": visitor, "limit": 3});
        wait_for("the event affects the answer", LONGEST_WAIT, async || {
            let request = suite.request(Method::POST, "/v1/recommendations/session").json(&session);
            // A product of the session is not recommended to it.
            let (_, list) = answer(request).await;
            if products_of(&list).contains(&ids[2]) { Err(list) } else { Ok(()) }
        })
        .await
        .unwrap();
        slowest = slowest.max(accepted.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    suite.finish(0).await;
}
