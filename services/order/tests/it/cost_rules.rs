//! The routes of promotions, shipping rates and tax rates.

use reqwest::Method;
use serde_json::{Value, json};
use vocabulary::CustomerId;

use crate::shop::{Deadlines, Shop, order_request};

fn cny(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "CNY" })
}

/// The routes with a valid body.
fn kinds() -> [(&'static str, Value); 3] {
    [
        (
            "/v1/promotions",
            json!({ "name": "Sale", "basis_points_off": 1_000, "coupons": ["ABC"] }),
        ),
        ("/v1/shipping-rates", json!({ "name": "Parcel", "country": "CN", "price": cny(800) })),
        ("/v1/tax-rates", json!({ "name": "VAT", "basis_points": 1_300, "included": true })),
    ]
}

#[tokio::test]
async fn rules_are_created_read_replaced_and_deleted() {
    let shop = Shop::open(Deadlines::NONE).await;
    let admin = shop.admin();
    for (path, body) in kinds() {
        let create = async || admin.send(Method::POST, path, Some(&body), Some("k1")).await;
        let first = create().await;
        let rule_path = first.location.clone().unwrap();
        let created = first.expect(201);
        assert_eq!(created["name"], body["name"]);
        // A repetition creates nothing.
        assert_eq!(create().await.expect(201), created);
        assert_eq!(admin.get(path).await.expect(200)["items"], json!([created]));
        assert_eq!(admin.get(&rule_path).await.expect(200), created);

        let mut other = body.clone();
        other["name"] = json!("Other");
        let replaced = admin.put(&rule_path, &other).await.expect(200);
        assert_eq!((&replaced["name"], &replaced["id"]), (&json!("Other"), &created["id"]));
        assert_eq!(replaced["created_at"], created["created_at"]);
        assert_eq!(admin.get(&rule_path).await.expect(200), replaced);

        admin.delete(&rule_path).await.expect(204);
        for gone in [
            admin.get(&rule_path).await,
            admin.put(&rule_path, &body).await,
            admin.delete(&rule_path).await,
        ] {
            assert_eq!(gone.problem(), (404, "not_found"));
        }
    }
    // The code of a deleted promotion is free.
    admin.post(kinds()[0].0, &kinds()[0].1).await.expect(201);
    shop.close().await;
}

#[tokio::test]
async fn rules_are_for_administrators_of_orders() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    for (path, body) in kinds() {
        let one = format!("{path}/{}", CustomerId::new());
        for (method, path, body) in [
            (Method::GET, path, None),
            (Method::POST, path, Some(&body)),
            (Method::GET, &one, None),
            (Method::PUT, &one, Some(&body)),
            (Method::DELETE, &one, None),
        ] {
            let refused = client.send(method.clone(), path, body, None).await;
            assert_eq!(refused.problem(), (403, "insufficient_scope"), "{method} {path}");
            let refused = shop.anonymous.send(method, path, body, None).await;
            assert_eq!(refused.problem(), (401, "unauthorized"), "{path}");
        }
    }
    let mut quote = order_request(me, &[("PEN", 1)], "manual");
    quote.as_object_mut().unwrap().remove("payment");
    assert_eq!(shop.anonymous.post("/v1/quotes", &quote).await.problem(), (401, "unauthorized"));
    quote["customer_id"] = json!(CustomerId::new());
    assert_eq!(client.post("/v1/quotes", &quote).await.problem(), (403, "not_yours"));
    let empty = client.post("/v1/quotes", &json!({})).await;
    assert_eq!(empty.fields(), ["customer_id", "lines", "shipping_address"]);
    shop.close().await;
}

#[tokio::test]
async fn every_invalid_field_of_a_rule_is_listed() {
    let shop = Shop::open(Deadlines::NONE).await;
    let admin = shop.admin();
    let promotion = json!({
        "name": " ", "basis_points_off": 10_001, "products": ["x"], "skus": ["a b"], "priority": -1,
        "starts_at": "2026-01-02T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z", "coupons": ["A"], "max_uses": 0,
        "max_uses_per_customer": 1_000_000_001,
    });
    let refused = admin.post("/v1/promotions", &promotion).await;
    assert_eq!(
        refused.fields(),
        [
            "basis_points_off",
            "coupons[0]",
            "ends_at",
            "max_uses",
            "max_uses_per_customer",
            "name",
            "priority",
            "products[0]",
            "skus[0]",
        ]
    );
    for benefit in [
        json!({}),
        json!({ "basis_points_off": 0 }),
        json!({ "basis_points_off": 1, "free_shipping": true }),
        json!({ "amount_off": cny(0) }),
    ] {
        let mut promotion = json!({ "name": "Sale" });
        promotion.as_object_mut().unwrap().extend(benefit.as_object().unwrap().clone());
        let refused = admin.post("/v1/promotions", &promotion).await;
        assert_eq!(refused.problem(), (422, "validation_failed"), "{promotion}");
    }
    let rate =
        json!({ "region": "x", "from_goods": { "amount": 1, "currency": "EUR" }, "price": cny(1) });
    let refused = admin.post("/v1/shipping-rates", &rate).await;
    assert_eq!(refused.fields(), ["from_goods", "name", "region"]);
    let refused = admin.post("/v1/tax-rates", &json!({ "basis_points": -1 })).await;
    assert_eq!(refused.fields(), ["basis_points", "included", "name"]);
    for amount in [json!(-1), json!(1.5), json!(1_000_000_000_001_i64), json!(1_i64 << 53)] {
        let price = json!({ "amount": amount, "currency": "CNY" });
        let refused =
            admin.post("/v1/shipping-rates", &json!({ "name": "x", "price": price })).await;
        assert_eq!(refused.problem(), (422, "invalid_body"), "{price}");
    }
    shop.close().await;
}

#[tokio::test]
async fn a_coupon_code_belongs_to_one_promotion() {
    let shop = Shop::open(Deadlines::NONE).await;
    let admin = shop.admin();
    let sale =
        |codes: &[&str]| json!({ "name": "Sale", "basis_points_off": 1_000, "coupons": codes });
    let first = admin.post("/v1/promotions", &sale(&["one", "TWO", "Two"])).await;
    let path = first.location.clone().unwrap();
    assert_eq!(first.expect(201)["coupons"], json!(["ONE", "TWO"]));
    let taken = admin.post("/v1/promotions", &sale(&["TWO", "THREE"])).await;
    assert_eq!(taken.problem(), (409, "coupon_taken"));
    assert_eq!(taken.body["coupons"], json!(["TWO"]));
    assert_eq!(shop.count("select count(*) from cost_rule").await, 1);

    let replaced = admin.put(&path, &sale(&["ONE"])).await.expect(200);
    assert_eq!(replaced["coupons"], json!(["ONE"]));
    admin.post("/v1/promotions", &sale(&["TWO", "THREE"])).await.expect(201);
    shop.close().await;
}
