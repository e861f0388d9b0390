//! Erasure of visitors.

use chrono::DateTime;
use contracts::order::CustomerErasedV1;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service_testkit::{LONGEST_WAIT, answer};
use testkit::wait_for;
use tokio::sync::Notify;
use vocabulary::CustomerId;

use crate::suite::{Suite, order_confirmed, products_of, view};

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_visitor_is_removed_everywhere_for_good() {
    let mut suite = Suite::start().await;
    let (a, b) = (suite.stocked_product("A", "x").await, suite.stocked_product("B", "y").await);
    let customer = CustomerId::new();
    let visitor = customer.to_string();
    let events: Vec<Value> = vec![view(&visitor, a), view(&visitor, b), view("other", a)];
    suite.send(&events).await;
    suite.order.publish(&order_confirmed(customer, &[a, b])).await;
    suite.order.publish(&order_confirmed(CustomerId::new(), &[a])).await;
    let similar = format!("/v1/recommendations/similar/{a}");
    suite.wait_for_list(&similar, &[b]).await;
    suite.wait_for_list(&format!("/v1/recommendations/companions/{a}"), &[b]).await;
    let replica = suite.start_replica().await;
    let replica_lists = async |expected: &[_]| {
        wait_for("the replica is up to date", LONGEST_WAIT, async || {
            let (_, list) = answer(replica.request(Method::GET, &similar)).await;
            if products_of(&list) == expected { Ok(()) } else { Err(list) }
        })
        .await
        .unwrap();
    };
    replica_lists(&[b]).await;

    let path = format!("/v1/visitors/{visitor}");
    for _ in 0..2 {
        let (status, _) = answer(suite.as_analyst(Method::DELETE, &path)).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        // No other visitor viewed both products.
        assert_eq!(suite.products_at(&similar).await, []);
    }
    replica_lists(&[]).await;
    replica.stop().await;
    assert_eq!(suite.count("select count(*) from user_event").await, 1);
    assert_eq!(suite.count("select count(*) from basket").await, 1);
    let (_, sessions) = suite.get("/v1/sessions").await;
    assert_eq!((&sessions["visitors"], &sessions["events"]), (&json!(1), &json!(1)));

    // Repeated and new events of the visitor are dropped and counted.
    suite.send(&events).await;
    suite.send(&[view(&visitor, b)]).await;
    suite.order.publish(&order_confirmed(customer, &[a, b])).await;
    let row = suite.wait_until_received(7).await;
    let numbers = ["stored", "duplicates", "dropped", "kept", "erased"].map(|name| &row[name]);
    assert_eq!(numbers, [3, 1, 3, 1, 2].map(Value::from).each_ref());
    suite.wait_until_idle().await;
    suite.restart().await;
    assert_eq!(suite.products_at(&similar).await, []);
    assert_eq!(suite.products_at(&format!("/v1/recommendations/companions/{a}")).await, []);
    assert_eq!(suite.count("select count(*) from basket").await, 1);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_customer_is_removed_and_reported() {
    let suite = Suite::start().await;
    let (a, b) = (suite.stocked_product("A", "x").await, suite.stocked_product("B", "y").await);
    let customer = CustomerId::new();
    let visitor = customer.to_string();
    suite.send(&[view(&visitor, a), view(&visitor, b), view("other", a)]).await;
    suite.order.publish(&order_confirmed(customer, &[a, b])).await;
    let similar = format!("/v1/recommendations/similar/{a}");
    let companions = format!("/v1/recommendations/companions/{a}");
    suite.wait_for_list(&similar, &[b]).await;
    suite.wait_for_list(&companions, &[b]).await;

    // The order service may repeat it.
    for count in 1..=2 {
        let erased = CustomerErasedV1 { customer_id: customer, erased_at: DateTime::UNIX_EPOCH };
        suite.order.publish(&erased).await;
        suite.erasures.wait(count, |event| event.customer_id == customer).await;
        assert_eq!(suite.count("select count(*) from user_event").await, 1);
        assert_eq!(suite.count("select count(*) from basket").await, 0);
        suite.wait_for_list(&similar, &[]).await;
        suite.wait_for_list(&companions, &[]).await;
        // What arrives later is dropped.
        suite.send(&[view(&visitor, b)]).await;
        suite.order.publish(&order_confirmed(customer, &[a, b])).await;
        suite.wait_until_idle().await;
    }
    suite.wait_until_received(5).await;
    assert_eq!(suite.count("select count(*) from user_event").await, 1);
    assert_eq!(suite.count("select count(*) from basket").await, 0);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_events_of_an_erased_visitor_are_dropped() {
    let suite = Suite::start().await;
    let product = suite.stocked_product("A", "x").await;
    let erased = Notify::new();
    let send = async {
        for round in 0..60 {
            if round == 50 {
                // The last rounds arrive after the erasure, however slow it is.
                erased.notified().await;
            }
            let other = format!("other-{round}");
            suite.send(&[view("erased", product), view(&other, product)]).await;
        }
    };
    let erase = async {
        wait_for("some events are stored", LONGEST_WAIT, async || {
            match suite.count("select count(*) from user_event").await {
                0 => Err("none"),
                _ => Ok(()),
            }
        })
        .await
        .unwrap();
        let (status, _) = answer(suite.as_analyst(Method::DELETE, "/v1/visitors/erased")).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        erased.notify_one();
    };
    tokio::join!(send, erase);
    let row = suite.wait_until_received(120).await;
    assert_eq!(row["kept"], 60, "{row}");
    let (dropped, erased) = (row["dropped"].as_i64().unwrap(), row["erased"].as_i64().unwrap());
    assert!(dropped > 0 && erased > 0 && dropped + erased == 60, "{row}");
    wait_for("the model knows only the remaining visitors", LONGEST_WAIT, async || {
        let (_, sessions) = suite.get("/v1/sessions").await;
        let learned = (&sessions["visitors"], &sessions["events"]);
        if learned == (&json!(60), &json!(60)) { Ok(()) } else { Err(sessions.to_string()) }
    })
    .await
    .unwrap();
    suite.finish(0).await;
}
