//! Erasing customers.

use std::time::Duration;

use contracts::{
    behavior::ErasureCompletedV1,
    order::{CUSTOMER, CustomerErasedV1},
};
use messaging::{OnReject, Subscription, Topology};
use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Value, json};
use service_testkit::{LONGEST_WAIT, Recorder, ServiceDouble};
use testkit::wait_for;
use uuid::Uuid;
use vocabulary::CustomerId;

use crate::shop::{Client, Deadlines, Shop, order_request};

/// behavior-analytics, with what it receives.
pub(crate) async fn start_behavior_analytics(
    shop: &Shop,
) -> (ServiceDouble, Recorder<CustomerErasedV1>) {
    let erased = Recorder::default();
    let topology = Topology::new("behavior-analytics")
        .publishes::<ErasureCompletedV1>()
        .subscribes(Subscription::to(CUSTOMER, ["order"], OnReject::Continue).on(erased.clone()));
    (shop.start_double(topology).await, erased)
}

/// Requests the erasure, which also wakes the worker, until it has this many open orders and these completed services.
async fn wait_for_erasure(client: &Client, customer: CustomerId, open: i64, completed: &[&str]) {
    let path = format!("/v1/customers/{customer}");
    wait_for("the erasure has proceeded", LONGEST_WAIT, async || {
        let erasure = client.send(Method::DELETE, &path, None, None).await.expect(202);
        let steps = erasure["services"].as_array().unwrap().iter();
        let done = steps.filter(|step| step["completed_at"].is_string());
        let done: Vec<&str> = done.map(|step| step["service"].as_str().unwrap()).collect();
        let is_complete = erasure["completed"] == json!(done.len() == 2);
        let proceeded = erasure["open_orders"] == json!(open) && done == completed && is_complete;
        if proceeded { Ok(()) } else { Err(erasure.to_string()) }
    })
    .await
    .unwrap();
}

async fn address(client: &Client, order: &str) -> Value {
    client.get(&format!("/v1/orders/{order}")).await.expect(200)["shipping_address"].clone()
}

async fn cancel(client: &Client, order: &str) {
    client.post(&format!("/v1/orders/{order}/cancel"), &json!({})).await.expect(200);
}

/// Another transaction may have an order locked, while another order still needs its address.
#[tokio::test]
async fn a_locked_order_is_erased_soon_after() {
    let shop = Shop::open(Deadlines::NONE).await;
    let _subscriber = start_behavior_analytics(&shop).await;
    let (me, client) = shop.customer();
    shop.sell(&[("A", 500)]).await;
    let (ended, open) =
        (client.place(me, "A", "manual").await, client.place(me, "A", "manual").await);
    for order in [&ended, &open] {
        client.wait(order, "reserved").await;
    }
    cancel(&client, &ended).await;
    let mut lock = shop.order.begin().await.unwrap();
    let query = format!("select from orders where id = '{ended}' for update");
    sqlx::raw_sql(sqlx::AssertSqlSafe(query)).execute(&mut *lock).await.unwrap();
    client.send(Method::DELETE, &format!("/v1/customers/{me}"), None, None).await.expect(202);
    let swept = "select count(*) from customer_erasure_step where service = 'order' and horizon is not null";
    wait_for("the worker has looked at the customer", LONGEST_WAIT, async || {
        if shop.count(swept).await == 1 { Ok(()) } else { Err("it has not".to_owned()) }
    })
    .await
    .unwrap();
    assert_eq!(address(&client, &ended).await["name"], "林小满");
    lock.rollback().await.unwrap();
    // Long before the worker looks at everything again, once a minute.
    wait_for("the address is gone", Duration::from_secs(30), async || {
        let address = address(&client, &ended).await;
        if address.is_null() { Ok(()) } else { Err(address.to_string()) }
    })
    .await
    .unwrap();
    shop.close().await;
}

#[tokio::test]
async fn an_erased_customer_leaves_no_address() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (behavior, erased) = start_behavior_analytics(&shop).await;
    let (me, client) = shop.customer();
    let (other, stranger) = shop.customer();
    shop.sell(&[("A", 500)]).await;
    let of_stranger = stranger.place(other, "A", "manual").await;
    let body = order_request(me, &[("A", 1)], "manual");
    let placed = client.send(Method::POST, "/v1/orders", Some(&body), Some("key")).await;
    let ended = placed.expect(202)["id"].as_str().unwrap().to_owned();
    let open = client.place(me, "A", "manual").await;
    for order in [&ended, &open] {
        client.wait(order, "reserved").await;
        assert_eq!(address(&client, order).await["name"], "林小满");
    }
    cancel(&client, &ended).await;

    let (path, proof) = (format!("/v1/customers/{me}"), format!("/v1/customer-erasures/{me}"));
    let delete = async |client: &Client| client.send(Method::DELETE, &path, None, None).await;
    assert_eq!(client.get(&proof).await.problem(), (404, "not_found"));
    assert_eq!(delete(&shop.anonymous).await.problem(), (401, "unauthorized"));
    assert_eq!(delete(&stranger).await.problem(), (403, "not_yours"));
    let reader = shop.client(&me.to_string(), &[Scope::OrdersRead]);
    assert_eq!(delete(&reader).await.problem(), (403, "insufficient_scope"));
    assert_eq!(stranger.get(&proof).await.problem(), (403, "not_yours"));

    let accepted = delete(&client).await;
    assert_eq!(accepted.location.as_deref(), Some(&*proof));
    let accepted = accepted.expect(202);
    assert_eq!((&accepted["completed"], &accepted["open_orders"]), (&json!(false), &json!(1)));
    assert_eq!(erased.wait_one(|event| event.customer_id == me).await.customer_id, me);
    wait_for("the address of the ended order is gone", LONGEST_WAIT, async || {
        let address = address(&client, &ended).await;
        if address.is_null() { Ok(()) } else { Err(address.to_string()) }
    })
    .await
    .unwrap();
    // What is not shipped yet can still be shipped.
    assert_eq!(address(&client, &open).await["city"], "上海市");
    wait_for_erasure(&client, me, 1, &[]).await;
    let completed =
        ErasureCompletedV1 { customer_id: me, completed_at: chrono::DateTime::UNIX_EPOCH };
    behavior.publish(&completed).await;
    wait_for_erasure(&client, me, 1, &["behavior-analytics"]).await;
    cancel(&client, &open).await;
    wait_for_erasure(&client, me, 0, &["behavior-analytics", "order"]).await;
    assert!(address(&client, &open).await.is_null());
    let proven = client.get(&proof).await.expect(200);
    assert_eq!((&proven["completed"], &proven["customer_id"]), (&json!(true), &json!(me)));

    // A later order of the customer is not kept either.
    let later = client.place(me, "A", "manual").await;
    wait_for_erasure(&client, me, 1, &["behavior-analytics"]).await;
    cancel(&client, &later).await;
    wait_for_erasure(&client, me, 0, &["behavior-analytics", "order"]).await;
    assert!(address(&client, &later).await.is_null());

    assert_eq!(erased.all().len(), 1, "a repetition publishes nothing");
    assert_eq!(address(&stranger, &of_stranger).await["name"], "林小满");
    let anywhere = "select (select count(*) from orders where shipping_address::text like '%林小满%')
        + (select count(*) from idempotency.request where convert_from(body, 'UTF8') like '%林小满%')
        + (select count(*) from messaging.message where convert_from(body, 'UTF8') like '%林小满%')";
    assert_eq!(shop.count(anywhere).await, 1, "only the stranger has an address");
    shop.close().await;
}

#[tokio::test]
async fn orders_of_running_transactions_are_erased_as_well() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (behavior, _) = start_behavior_analytics(&shop).await;
    let (me, client) = shop.customer();
    let completed =
        ErasureCompletedV1 { customer_id: me, completed_at: chrono::DateTime::UNIX_EPOCH };
    // This transaction has not seen the erasure.
    let (order, mut tx) = (Uuid::now_v7(), shop.order.begin().await.unwrap());
    let _: i32 = sqlx::query_scalar(
        "insert into orders (id, customer_id, status, method, reason, shipping_address, placed_at, changed_at)
         values ($1, $2, 'cancelled', 'manual', '{\"code\": \"x\", \"text\": \"x\"}',
            '{\"name\": \"林小满\", \"line1\": \"x\", \"city\": \"x\", \"country\": \"CN\"}', now(), now())
         returning 1",
    )
    .bind(order)
    .bind(me.as_uuid())
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    wait_for_erasure(&client, me, 0, &[]).await;
    behavior.publish(&completed).await;
    wait_for_erasure(&client, me, 0, &["behavior-analytics"]).await;
    let passes = "select count(*) from customer_erasure_step where horizon is not null";
    wait_for("the worker has looked", LONGEST_WAIT, async || {
        client.send(Method::DELETE, &format!("/v1/customers/{me}"), None, None).await.expect(202);
        if shop.count(passes).await == 1 { Ok(()) } else { Err("not yet") }
    })
    .await
    .unwrap();
    for _ in 0..10 {
        wait_for_erasure(&client, me, 0, &["behavior-analytics"]).await;
    }
    tx.commit().await.unwrap();
    wait_for_erasure(&client, me, 0, &["behavior-analytics", "order"]).await;
    assert!(address(&client, &order.to_string()).await.is_null());
    shop.close().await;
}

#[tokio::test]
async fn erasures_are_repeated_for_a_restored_service() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (behavior, erased) = start_behavior_analytics(&shop).await;
    let customers = [shop.customer(), shop.customer()];
    for (customer, client) in &customers {
        wait_for_erasure(client, *customer, 0, &["order"]).await;
        let completed = ErasureCompletedV1 {
            customer_id: *customer,
            completed_at: chrono::DateTime::UNIX_EPOCH,
        };
        behavior.publish(&completed).await;
        wait_for_erasure(client, *customer, 0, &["behavior-analytics", "order"]).await;
    }
    let repeat = "/v1/customer-erasures/repeat";
    let (_, client) = &customers[0];
    assert_eq!(client.post(repeat, &json!({})).await.problem(), (403, "insufficient_scope"));
    let repeated = shop.admin().post(repeat, &json!({})).await.expect(200);
    assert_eq!(repeated["customers"], 2);
    assert_eq!(erased.wait(4, |_| true).await.len(), 4);
    for (customer, client) in &customers {
        wait_for_erasure(client, *customer, 0, &["order"]).await;
    }
    shop.close().await;
}
