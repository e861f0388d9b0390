//! Orders without errors, and orders whose deadline fails.

use std::time::Duration;

use runtime::auth::Scope;

use service_testkit::LONGEST_WAIT;

use crate::shop::{Deadlines, Shop, order_request};

const QUICK: Deadlines = Deadlines {
    ship: Duration::from_millis(50),
    deliver: Duration::from_millis(50),
    ..Deadlines::NONE
};

#[tokio::test]
async fn test_order_is_delivered_without_intervention() {
    let shop = Shop::open(QUICK).await;
    shop.sell(&[("KB-RED", 12_900), ("KB-BLUE", 9_900)]).await;
    let (me, client) = shop.customer();
    let body = order_request(me, &[("KB-RED", 2), ("KB-BLUE", 1)], "test");
    let placed = client.post("/v1/orders", &body).await;
    let id = placed.body["id"].as_str().unwrap().to_owned();
    assert_eq!(placed.location.as_deref(), Some(&*format!("/v1/orders/{id}")));
    let placed = placed.expect(202);
    assert_eq!(placed["total"]["amount"], 35_700);
    assert_eq!(placed["payment"], serde_json::json!({ "method": "test", "state": "pending" }));

    let delivered = client.wait(&id, "delivered").await;
    assert_eq!(delivered["payment"]["state"], "approved");
    assert_eq!(delivered["shipment"]["carrier"], "built-in");
    assert!(delivered["shipment"]["delivered_at"].is_string());
    let timeline = client.timeline_with(&id, "inventory stock.deducted.v1").await;
    let own: Vec<&str> =
        timeline.iter().map(String::as_str).filter(|line| !line.contains("deducted")).collect();
    assert_eq!(
        own,
        [
            "order order.placed.v1",
            "inventory stock.reserved.v1",
            "order payment.approved",
            "order order.confirmed.v1",
            "order order.shipped.v1",
            "order order.delivered.v1",
        ]
    );
    shop.wait_for_reservation(&id, "deducted", 0).await;
    assert_eq!(shop.payments(&id).await, ["approved"]);
    shop.close().await;
}

#[tokio::test]
async fn concurrent_orders_share_commits_and_confirm_once() {
    const ORDERS: usize = 400;
    let shop = Shop::open(QUICK).await;
    shop.sell(&[("KB-RED", 12_900)]).await;
    let admin = shop.client("load", &[Scope::OrdersAdmin]);
    let (me, _) = shop.customer();
    let mut placing = tokio::task::JoinSet::new();
    for number in 0..ORDERS {
        let admin = admin.clone();
        placing.spawn(async move {
            let key = (number % 2 == 0).then(|| format!("order-{number}"));
            let body = order_request(me, &[("KB-RED", 1)], "test");
            let placed =
                admin.send(reqwest::Method::POST, "/v1/orders", Some(&body), key.as_deref()).await;
            placed.expect(202)["id"].as_str().unwrap().to_owned()
        });
    }
    let mut ids = Vec::new();
    while let Some(id) = placing.join_next().await {
        ids.push(id.unwrap());
    }
    testkit::wait_for("all orders are delivered", LONGEST_WAIT, async || {
        let open = shop.count("select count(*) from orders where status <> 'delivered'").await;
        if open == 0 { Ok(()) } else { Err(format!("{open} are open")) }
    })
    .await
    .unwrap();
    let commits = shop.count("select count(distinct xmin::text) from order_line").await;
    assert!(commits < 200, "{ORDERS} orders took {commits} commits");
    let ordered = i64::try_from(ORDERS).unwrap();
    assert_eq!(shop.count("select count(*) from orders").await, ordered);
    for event in ["'order.confirmed.v1'", "'order.shipped.v1'", "'order.delivered.v1'"] {
        let query = sqlx::AssertSqlSafe(format!(
            "select count(*) from order_timeline where event = {event}"
        ));
        let count: i64 = sqlx::query_scalar(query).fetch_one(&shop.order).await.unwrap();
        assert_eq!(count, ordered, "{event}");
    }
    assert_eq!(
        shop.count("select count(distinct order_id) from payment where state = 'approved'").await,
        ordered
    );
    assert_eq!(shop.count("select count(*) from payment").await, ordered);
    shop.close().await;
}

/// Three orders fail: two have invalid rows, one cannot be written.
#[tokio::test]
async fn failing_deadlines_do_not_delay_other_orders() {
    let deadlines = Deadlines { deliver: Duration::from_millis(50), ..Deadlines::NONE };
    let shop = Shop::open(deadlines).await;
    shop.sell(&[("KB-RED", 12_900)]).await;
    let (me, client) = shop.customer();
    let mut orders = Vec::new();
    for _ in 0..5 {
        let order = client.place(me, "KB-RED", "test").await;
        client.wait(&order, "confirmed").await;
        orders.push(order);
    }
    let [reason, currency, shipment, locked, good] = &*orders else { unreachable!() };
    // An operator holds the row lock of the order with the earliest deadline.
    let due = sqlx::AssertSqlSafe(format!(
        "update orders set due_at = now() + interval '5 seconds' where id = '{locked}'"
    ));
    sqlx::raw_sql(due).execute(&shop.order).await.unwrap();
    let mut repair = shop.order.begin().await.unwrap();
    let lock = sqlx::AssertSqlSafe(format!("select from orders where id = '{locked}' for update"));
    sqlx::raw_sql(lock).execute(&mut *repair).await.unwrap();
    testkit::wait_for("the order is due", LONGEST_WAIT, async || {
        match shop.count("select count(*) from orders where due_at <= now()").await {
            1 => Ok(()),
            other => Err(other),
        }
    })
    .await
    .unwrap();
    let damage = sqlx::AssertSqlSafe(format!(
        "update orders set reason = '\"why\"' where id = '{reason}';
         update order_line set currency = 'none' where order_id = '{currency}';
         insert into shipment values (gen_random_uuid(), '{shipment}', 'a carrier', 'a number', now(), null, '{shipment}');
         update orders set due_at = now() where id in ('{reason}', '{currency}', '{shipment}', '{good}');"
    ));
    sqlx::raw_sql(damage).execute(&shop.order).await.unwrap();
    client.wait(good, "delivered").await;
    let confirmed = shop.count("select count(*) from orders where status = 'confirmed'").await;
    assert_eq!(confirmed, 4, "the failing orders stay as they are");
    repair.commit().await.unwrap();
    client.wait(locked, "delivered").await;
    // Quarantined orders do not delay later deadlines.
    let later = client.place(me, "KB-RED", "test").await;
    client.wait(&later, "confirmed").await;
    let due = sqlx::AssertSqlSafe(format!("update orders set due_at = now() where id = '{later}'"));
    sqlx::raw_sql(due).execute(&shop.order).await.unwrap();
    client.wait(&later, "delivered").await;
    // An order that has ended cannot have a deadline.
    let ended =
        sqlx::AssertSqlSafe(format!("update orders set due_at = now() where id = '{good}'"));
    let refused = sqlx::raw_sql(ended).execute(&shop.order).await.unwrap_err().to_string();
    assert!(refused.contains("only_open_orders_are_due"), "{refused}");
    shop.close().await;
}
