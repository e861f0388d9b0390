//! Shipped goods come back: through order and inventory, with stock and money checked by the audit.

use rand::{Rng as _, SeedableRng as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Value, json};
use system_tests::{Answer, Shop};
use uuid::Uuid;

/// Sends a request to the order service as an operator of shop and warehouse.
async fn post(shop: &Shop, path: &str, body: &Value) -> Answer {
    let token = shop.token("operator", &[Scope::OrdersAdmin, Scope::OrdersRead]).unwrap();
    shop.call(Method::POST, "order", path, Some(&token), &[], Some(body)).await.unwrap()
}

async fn balance(shop: &Shop, order: &str) -> i64 {
    let token = shop.token("operator", &[Scope::OrdersAdmin]).unwrap();
    let path = format!("/v1/orders/{order}/money");
    let money = shop.call(Method::GET, "order", &path, Some(&token), &[], None).await.unwrap();
    money.expect_status(200).unwrap().body["balance"].as_i64().unwrap()
}

fn announcement(sku: &str, quantity: i64) -> Value {
    json!({ "lines": [{ "sku": sku, "quantity": quantity, "reason": "changed_mind" }] })
}

fn receipt(sku: &str, restocked: i64, written_off: i64) -> Value {
    json!({ "lines": [{ "sku": sku, "restocked": restocked, "written_off": written_off }] })
}

#[tokio::test]
async fn returned_goods_are_in_stock_and_paid_back() {
    let shop = Shop::start().await.unwrap();
    shop.stocked_product("极光 F87 机械键盘", "KB-1", 32_900, 10).await.unwrap();
    let placed =
        shop.order(&Uuid::now_v7().to_string(), "KB-1", 3, None).await.unwrap().expect_status(202);
    let id = placed.unwrap().text("/id");
    shop.wait_for_order(&id, &["delivered"]).await.unwrap();
    assert_eq!(
        (shop.stock_of("KB-1").await.unwrap(), balance(&shop, &id).await),
        ((7, 0, 7), 98_700)
    );

    let returns = format!("/v1/orders/{id}/returns");
    for (pieces, restocked, written_off, on_hand, left) in [(2, 1, 1, 8, 32_900), (1, 1, 0, 9, 0)] {
        let announced = post(&shop, &returns, &announcement("KB-1", pieces)).await;
        let path =
            format!("/v1/returns/{}/receipt", announced.expect_status(201).unwrap().text("/id"));
        let received = post(&shop, &path, &receipt("KB-1", restocked, written_off)).await;
        received.expect_status(200).unwrap();
        shop.assert_clean_audit().await.unwrap();
        assert_eq!(shop.stock_of("KB-1").await.unwrap(), (on_hand, 0, on_hand));
        assert_eq!(balance(&shop, &id).await, left);
    }
    shop.wait_for_order(&id, &["returned"]).await.unwrap();
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn a_cancelled_line_is_in_stock_and_paid_back() {
    let shop = Shop::start_with(&[("BUILT_IN_CARRIER", "false")]).await.unwrap();
    shop.stocked_product("极光 F87 机械键盘", "KB-1", 32_900, 10).await.unwrap();
    let placed =
        shop.order(&Uuid::now_v7().to_string(), "KB-1", 3, None).await.unwrap().expect_status(202);
    let id = placed.unwrap().text("/id");
    shop.wait_for_order(&id, &["confirmed"]).await.unwrap();
    let path = format!("/v1/orders/{id}/lines/KB-1/cancel");
    post(&shop, &path, &json!({ "quantity": 1 })).await.expect_status(200).unwrap();
    shop.assert_clean_audit().await.unwrap();
    assert_eq!(shop.stock_of("KB-1").await.unwrap(), (10, 2, 8));
    assert_eq!(balance(&shop, &id).await, 65_800);
    post(&shop, &format!("/v1/orders/{id}/cancel"), &json!({})).await.expect_status(200).unwrap();
    shop.wait_for_order(&id, &["cancelled"]).await.unwrap();
    shop.assert_clean_audit().await.unwrap();
    assert_eq!(shop.stock_of("KB-1").await.unwrap(), (10, 0, 10));
    assert_eq!(balance(&shop, &id).await, 0);
    shop.stop().await.unwrap();
}

/// Announcements, receipts and refusals in random order, some of them twice at once, while services are killed.
#[tokio::test]
async fn the_audit_holds_after_random_returns_and_crashes() {
    let seed = std::env::var("RETURNS_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut shop = Shop::start().await.unwrap();
    shop.stocked_product("茶杯", "CUP-1", 1_999, 100).await.unwrap();
    let mut orders = Vec::new();
    for pieces in [1, 3, 5] {
        let placed = shop.order(&Uuid::now_v7().to_string(), "CUP-1", pieces, None).await.unwrap();
        orders.push(placed.expect_status(202).unwrap().text("/id"));
    }
    for id in &orders {
        shop.wait_for_order(id, &["delivered"]).await.unwrap();
    }
    let mut open: Vec<String> = Vec::new();
    for round in 0..4 {
        for _ in 0..8 {
            let (first, second) = match (random.random_range(0..4), open.choose(&mut random)) {
                (0, Some(id)) => {
                    let refusal = json!({ "reason": "used" });
                    (format!("/v1/returns/{id}/refusal"), refusal)
                }
                (1 | 2, Some(id)) => {
                    let (restocked, written_off) =
                        (random.random_range(0..3), random.random_range(0..2));
                    (format!("/v1/returns/{id}/receipt"), receipt("CUP-1", restocked, written_off))
                }
                _ => {
                    let id = orders.choose(&mut random).unwrap();
                    let pieces = random.random_range(1..4);
                    (format!("/v1/orders/{id}/returns"), announcement("CUP-1", pieces))
                }
            };
            // Each request comes twice, at once.
            let (one, two) =
                tokio::join!(post(&shop, &first, &second), post(&shop, &first, &second));
            for answer in [one, two] {
                let status = answer.status.as_u16();
                assert!([200, 201, 409, 422].contains(&status), "seed {seed}: {}", answer.body);
                if status == 201 {
                    open.push(answer.text("/id"));
                }
            }
        }
        let killed = if round % 2 == 0 { "inventory" } else { "order" };
        shop.kill(killed).await.unwrap();
        shop.restore().unwrap();
        shop.wait_until_ready().await.unwrap();
        shop.assert_clean_audit().await.unwrap();
    }
    shop.stop().await.unwrap();
}
