//! A visitor who is erased is nowhere any more.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::wait_for;
use vocabulary::CustomerId;

use crate::suite::{Suite, answer, confirmed, products_of, view};

/// How long a state may take to come.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_visitor_is_gone_from_tables_and_models_and_stays_away() {
    let mut suite = Suite::start().await;
    let (a, b) = (suite.stocked_product("A", "x").await, suite.stocked_product("B", "y").await);
    let customer = CustomerId::new();
    let visitor = customer.to_string();
    let events: Vec<Value> = vec![view(&visitor, a), view(&visitor, b), view("other", a)];
    suite.send(&events).await;
    suite.order.say(&confirmed(customer, &[a, b])).await;
    suite.order.say(&confirmed(CustomerId::new(), &[a])).await;
    let similar = format!("/v1/recommendations/similar/{a}");
    suite.shows(&similar, &[b]).await;
    suite.shows(&format!("/v1/recommendations/companions/{a}"), &[b]).await;
    let other = suite.replica().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let other_knows = async |expected: &[_]| {
        wait_for("the other process", Duration::from_secs(30), async || {
            let (_, list) = answer(client.get(format!("{}{similar}", other.base))).await;
            if products_of(&list) == expected { Ok(()) } else { Err(list) }
        })
        .await
        .unwrap();
    };
    other_knows(&[b]).await;

    let path = format!("/v1/visitors/{visitor}");
    for _ in 0..2 {
        let (status, _) = answer(suite.as_analyst(Method::DELETE, &path)).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        // The model has forgotten by now; nobody else has looked at both.
        assert_eq!(suite.products_at(&similar).await, []);
    }
    other_knows(&[]).await;
    other.stop().await;
    assert_eq!(suite.count("select count(*) from user_event").await, 1);
    assert_eq!(suite.count("select count(*) from basket").await, 1);
    let (_, sessions) = suite.get("/v1/sessions").await;
    assert_eq!((&sessions["visitors"], &sessions["events"]), (&json!(1), &json!(1)));

    // What was sent before and what comes now is dropped, and said to be.
    suite.send(&events).await;
    suite.send(&[view(&visitor, b)]).await;
    suite.order.say(&confirmed(customer, &[a, b])).await;
    let books = suite.has_received(7).await;
    let numbers = ["stored", "duplicates", "dropped", "kept", "erased"].map(|name| &books[name]);
    assert_eq!(numbers, [3, 1, 3, 1, 2].map(Value::from).each_ref());
    suite.at_rest().await;
    suite.restart().await;
    assert_eq!(suite.products_at(&similar).await, []);
    assert_eq!(suite.products_at(&format!("/v1/recommendations/companions/{a}")).await, []);
    assert_eq!(suite.count("select count(*) from basket").await, 1);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_slips_in_while_a_visitor_is_erased() {
    let suite = Suite::start().await;
    let product = suite.stocked_product("A", "x").await;
    let send = async {
        for _ in 0..60 {
            suite.send(&[view("gone", product), view("stays", product)]).await;
        }
    };
    let erase = async {
        wait_for("some are stored", SOON, async || {
            match suite.count("select count(*) from user_event").await {
                0 => Err("none"),
                _ => Ok(()),
            }
        })
        .await
        .unwrap();
        let (status, _) = answer(suite.as_analyst(Method::DELETE, "/v1/visitors/gone")).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    };
    tokio::join!(send, erase);
    let books = suite.has_received(120).await;
    assert_eq!(books["kept"], 60, "{books}");
    let (dropped, erased) = (books["dropped"].as_i64().unwrap(), books["erased"].as_i64().unwrap());
    assert!(dropped > 0 && erased > 0 && dropped + erased == 60, "{books}");
    // The model learns what the table holds moments later.
    wait_for("the model has the visitor who stays, and no other", SOON, async || {
        let (_, sessions) = suite.get("/v1/sessions").await;
        let learned = (&sessions["visitors"], &sessions["events"]);
        if learned == (&json!(1), &json!(60)) { Ok(()) } else { Err(sessions.to_string()) }
    })
    .await
    .unwrap();
    suite.finish(0).await;
}
