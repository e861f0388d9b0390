//! The audit names the violated invariant, and takes nothing that is in flight for a violation.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use system_tests::{CONSOLE, Shop};
use testkit::wait_for;
use uuid::Uuid;

use crate::behavior::event;

/// Violates an invariant, runs the audit, and repairs the data.
async fn assert_detected(shop: &Shop, invariant: u8, service: &str, harm: &str, repair: &str) {
    let databases = shop.databases();
    let mut connection = PgConnection::connect(databases.url(service)).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(harm)).execute(&mut connection).await.unwrap();
    let findings = shop.audit().await.unwrap();
    assert!(!findings.of(invariant).is_empty(), "not detected: {harm}: {findings}");
    sqlx::raw_sql(AssertSqlSafe(repair)).execute(&mut connection).await.unwrap();
    wait_for("only reminders are left", Duration::from_mins(1), async || {
        let found = shop.audit().await.map_err(|error| error.to_string())?.to_string();
        // They stay in the queues of a killed service.
        let is_reminder = |line: &str| line.contains(" messages in ");
        if found.lines().all(is_reminder) { Ok(()) } else { Err(found) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn each_violated_invariant_is_named() {
    let shop = Shop::start().await.unwrap();
    let product = shop.stocked_product("茶叶", "TEA-9", 5_000, 10).await.unwrap().text("/id");
    let placed = shop.order(&Uuid::now_v7().to_string(), "TEA-9", 2, None).await.unwrap();
    let id = placed.expect_status(202).unwrap().text("/id");
    shop.wait_for_order(&id, &["delivered"]).await.unwrap();
    // An empty stream has no unread messages: it needs one event.
    shop.assert_clean_audit().await.unwrap();
    let viewed = json!([event("product_viewed", "session-1", &product)]);
    shop.call(Method::POST, "behavior-analytics", "/v1/events", None, &[], Some(&viewed))
        .await
        .unwrap()
        .expect_status(202)
        .unwrap();
    shop.assert_clean_audit().await.unwrap();

    let twice = "insert into order_timeline (order_id, at, service, event, status, detail)
         select id, now(), 'order', 'order.cancelled', 'cancelled', '{}' from orders";
    let once = "delete from order_timeline where event = 'order.cancelled'";
    assert_detected(&shop, 1, "order", twice, once).await;
    let (more, less) =
        ("update stock set on_hand = on_hand + 1", "update stock set on_hand = on_hand - 1");
    assert_detected(&shop, 2, "inventory", more, less).await;
    let (open, close) = (
        "update reservation set state = 'reserved', closed_at = null",
        "update reservation set state = 'deducted', closed_at = now()",
    );
    assert_detected(&shop, 3, "inventory", open, close).await;
    let (old, new) =
        ("update document set version = version + 1", "update document set version = version - 1");
    assert_detected(&shop, 4, "search-sync", old, new).await;
    let (left, gone) = (
        "insert into messaging.outbox (event_id, kind, aggregate, key, slot, seq, time, data)
         select gen_random_uuid(), 'x', 'x', 'x', 0, n, now(), repeat(' ', 100) from generate_series(1, 3) n",
        "delete from messaging.outbox",
    );
    // The relay of a running service would publish the events.
    let mut shop = shop;
    shop.kill("inventory").await.unwrap();
    assert_detected(&shop, 5, "inventory", left, gone).await;
    let (lost, found) = (
        "insert into intake_count (day, received, stored, duplicates, dropped) values ('2000-01-01', 1, 1, 0, 0)",
        "delete from intake_count where day = '2000-01-01'",
    );
    assert_detected(&shop, 6, "behavior-analytics", lost, found).await;
    // A running service would read from the changed offset.
    shop.kill("behavior-analytics").await.unwrap();
    let (unread, read) = (
        "update messaging.stream_offset set next_offset = next_offset - 1",
        "update messaging.stream_offset set next_offset = next_offset + 1",
    );
    assert_detected(&shop, 6, "behavior-analytics", unread, read).await;
}

/// The time after which a difference counts as a violation: longer than the way of an order on a busy machine.
const SETTLED: Duration = Duration::from_secs(20);

/// Places orders until `over` is set.
async fn keep_ordering(shop: &Shop, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let placed = shop.order(&Uuid::now_v7().to_string(), "TEA-8", 1, None).await.unwrap();
        placed.expect_status(202).unwrap();
    }
}

/// A single pass during traffic finds differences; they used to be reported as violations.
#[tokio::test]
async fn an_audit_under_traffic_finds_only_what_persists() {
    let shop = Shop::start().await.unwrap();
    shop.stocked_product("茶叶", "TEA-8", 5_000, 1_000_000).await.unwrap();
    let over = AtomicBool::new(false);
    let audit = async {
        let mut in_flight = 0;
        while in_flight == 0 {
            in_flight = shop.audit().await.unwrap().count();
        }
        let clean = shop.audit_until_settled(SETTLED).await.unwrap();
        assert!(clean.violations.is_clean(), "{}", clean.violations);

        let databases = shop.databases();
        let mut inventory = PgConnection::connect(databases.url("inventory")).await.unwrap();
        // One deduction too much, beside many that are in flight.
        sqlx::raw_sql(
            "update ledger set on_hand_delta = on_hand_delta - 1
             where ctid = (select ctid from ledger where kind = 'deducted' limit 1)",
        )
        .execute(&mut inventory)
        .await
        .unwrap();
        let damaged = shop.audit_until_settled(SETTLED).await.unwrap();
        over.store(true, Ordering::Relaxed);
        damaged
    };
    let (damaged, ()) = tokio::join!(audit, keep_ordering(&shop, &over));
    let violations: Vec<String> =
        damaged.violations.of(2).iter().map(ToString::to_string).collect();
    assert!(violations.iter().any(|text| text.contains("1 shipped, 2 deducted")), "{violations:?}");
    assert_eq!(damaged.violations.count(), violations.len(), "{}", damaged.violations);
}

/// Audits by the route of the console; returns the result.
async fn audit_by_route(shop: &Shop, settle: Duration) -> Value {
    let token = shop.token("operator", &[Scope::Ops]).unwrap();
    let call = async |method, path: &str, body: Option<&Value>| {
        shop.call(method, CONSOLE, path, Some(&token), &[], body).await.unwrap()
    };
    let request = json!({ "settle_seconds": settle.as_secs() });
    let started = call(Method::POST, "/ops/audits", Some(&request)).await;
    let location = format!("/ops/audits/{}", started.expect_status(202).unwrap().text("/id"));
    wait_for("the audit has ended", Duration::from_mins(2), async || {
        let audit = call(Method::GET, &location, None).await.body;
        if audit["state"] == "running" { Err(audit.to_string()) } else { Ok(audit) }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn operators_audit_an_open_shop_by_a_route() {
    let mut shop = Shop::start().await.unwrap();
    shop.start_console().await.unwrap();
    shop.stocked_product("茶叶", "TEA-8", 5_000, 1_000_000).await.unwrap();
    shop.stocked_product("茶杯", "CUP-8", 5_000, 3).await.unwrap();
    let over = AtomicBool::new(false);
    let audits = async {
        while shop.audit().await.unwrap().count() == 0 {}
        let clean = audit_by_route(&shop, SETTLED).await;

        let databases = shop.databases();
        let mut inventory = PgConnection::connect(databases.url("inventory")).await.unwrap();
        // Of an SKU without traffic, so that its row stays as it is.
        sqlx::raw_sql("update stock set on_hand = on_hand + 1 where sku = 'CUP-8'")
            .execute(&mut inventory)
            .await
            .unwrap();
        let violated = audit_by_route(&shop, SETTLED).await;
        over.store(true, Ordering::Relaxed);
        (clean, violated)
    };
    let ((clean, violated), ()) = tokio::join!(audits, keep_ordering(&shop, &over));
    assert_eq!(clean["state"], "clean", "{clean}");
    assert!(clean["passes"].as_u64().unwrap() > 1, "{clean}");
    for name in ["orders", "stock_rows", "indexed_products", "queues", "streams"] {
        assert!(clean["checked"][name].as_i64().unwrap() > 0, "{name}: {clean}");
    }
    assert_eq!((&violated["state"], &violated["differences"]), (&json!("violated"), &json!(1)));
    let found = &violated["invariants"][1];
    assert_eq!((&found["invariant"], &found["violations"]), (&json!(2), &json!(1)), "{found}");
    assert_eq!(found["texts"], json!(["CUP-8: 4 on hand, 3 in the ledger"]));
}
