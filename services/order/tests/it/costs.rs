//! What orders cost: discounts, coupons, shipping and tax.

use std::time::Duration;

use futures::future::join_all;
use runtime::auth::Scope;
use serde_json::{Value, json};
use vocabulary::CustomerId;

use crate::{
    shop::{Answer, Client, Deadlines, Shop, order_request},
    webhooks::{PAYMENTS, send_webhook},
};

fn cny(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "CNY" })
}

/// Creates a rule, and returns its path.
async fn create(shop: &Shop, path: &str, rule: Value) -> String {
    let created = shop.admin().post(path, &rule).await;
    assert_eq!(created.status, 201, "{}", created.body);
    created.location.unwrap()
}

fn with_coupon(customer: CustomerId, sku: &str, coupon: &str) -> Value {
    let mut body = order_request(customer, &[(sku, 1)], "manual");
    body["coupon"] = json!(coupon);
    body
}

async fn quote(client: &Client, order: &Value) -> Answer {
    let mut body = order.clone();
    body.as_object_mut().unwrap().remove("payment");
    client.post("/v1/quotes", &body).await
}

#[tokio::test]
async fn goods_discounts_shipping_and_tax_add_up() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_000), ("INK", 999)]).await;
    let (me, client) = shop.customer();
    let order = order_request(me, &[("PEN", 2), ("INK", 1)], "manual");
    let plain = quote(&client, &order).await.expect(200);
    assert_eq!(
        plain["costs"],
        json!({ "goods": cny(10_999), "discounts": [], "shipping": cny(0), "total": cny(10_999) })
    );

    let sale = json!({ "name": "夏季促销", "basis_points_off": 1_000 });
    let sale = create(&shop, "/v1/promotions", sale).await;
    create(&shop, "/v1/shipping-rates", json!({ "name": "Parcel", "price": cny(800) })).await;
    let tax =
        json!({ "name": "VAT", "basis_points": 1_300, "included": false, "taxes_shipping": true });
    create(&shop, "/v1/tax-rates", tax).await;

    let quoted = quote(&client, &order).await.expect(200);
    let discount = json!({
        "promotion_id": sale.rsplit('/').next(), "name": "夏季促销", "on": "goods", "amount": cny(1_100),
    });
    let tax =
        json!({ "name": "VAT", "basis_points": 1_300, "included": false, "amount": cny(1_391) });
    let costs = json!({
        "goods": cny(10_999), "discounts": [discount], "shipping": cny(800), "tax": tax, "total": cny(12_090),
    });
    assert_eq!((&quoted["costs"], &quoted["total"]), (&costs, &cny(12_090)));
    let line = &quoted["lines"][1];
    assert_eq!((&line["discount"], &line["tax"]), (&cny(1_000), &cny(1_170)));
    assert_eq!(shop.count("select count(*) from orders").await, 0);

    // The total that was shown without them does not hold.
    let mut shown = order.clone();
    shown["expected_total"] = cny(10_999);
    let refused = client.post("/v1/orders", &shown).await;
    assert_eq!(refused.problem(), (409, "price_changed"));
    assert_eq!(refused.body["total"], json!({ "shown": cny(10_999), "current": cny(12_090) }));
    shown["expected_total"] = cny(12_090);
    let placed = client.post("/v1/orders", &shown).await.expect(202);
    assert_eq!(
        (&placed["costs"], &placed["total"], &placed["lines"]),
        (&costs, &cny(12_090), &quoted["lines"])
    );

    // What an order costs is decided when it is placed.
    shop.admin().delete(&sale).await.expect(204);
    let id = placed["id"].as_str().unwrap();
    let reserved = client.wait(id, "reserved").await;
    assert_eq!((&reserved["costs"], &reserved["lines"]), (&costs, &quoted["lines"]));
    let paid = json!({
        "event_id": "e1", "order_id": id, "outcome": "approve", "reference": "p1", "amount": cny(12_090),
    });
    send_webhook(&shop.anonymous, PAYMENTS, &paid).await.expect(200);
    let confirmed = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    assert_eq!((&confirmed["status"], &confirmed["costs"]), (&json!("confirmed"), &costs));
    shop.close().await;
}

#[tokio::test]
async fn a_coupon_that_cannot_be_used_places_nothing() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_000), ("FREE", 0)]).await;
    let (me, client) = shop.customer();
    let off = |name: &str, more: Value| {
        let mut rule = json!({ "name": name, "amount_off": cny(1_000), "coupons": [name] });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    };
    for rule in [
        off("GOOD", json!({})),
        off("ENDED", json!({ "ends_at": "2020-01-01T00:00:00Z" })),
        off("LATER", json!({ "starts_at": "2099-01-01T00:00:00Z" })),
        off("DEAR", json!({ "min_goods": cny(5_001) })),
        off("OTHER", json!({ "skus": ["INK"] })),
        off("EURO", json!({ "amount_off": { "amount": 1, "currency": "EUR" } })),
        off("ONCE", json!({ "max_uses_per_customer": 1 })),
    ] {
        create(&shop, "/v1/promotions", rule).await;
    }
    for (coupon, status, code) in [
        ("UNKNOWN", 422, "unknown_coupon"),
        ("ENDED", 409, "coupon_not_in_force"),
        ("LATER", 409, "coupon_not_in_force"),
        ("DEAR", 422, "coupon_not_applicable"),
        ("OTHER", 422, "coupon_not_applicable"),
        ("EURO", 422, "coupon_not_applicable"),
        ("no code", 422, "validation_failed"),
    ] {
        let order = with_coupon(me, "PEN", coupon);
        assert_eq!(client.post("/v1/orders", &order).await.problem(), (status, code), "{coupon}");
        assert_eq!(quote(&client, &order).await.problem(), (status, code), "{coupon}");
    }
    // An order whose prices are not known yet cannot have a coupon.
    let unknown = client.post("/v1/orders", &with_coupon(me, "NO-PRICE", "GOOD")).await;
    assert_eq!(unknown.problem(), (422, "coupon_not_applicable"));
    assert_eq!(shop.count("select count(*) from orders").await, 0);

    let placed = client.post("/v1/orders", &with_coupon(me, "PEN", " good ")).await.expect(202);
    assert_eq!(placed["total"], cny(4_000));
    assert_eq!(placed["costs"]["discounts"][0]["coupon"], "GOOD");
    client.post("/v1/orders", &with_coupon(me, "PEN", "ONCE")).await.expect(202);
    let again = client.post("/v1/orders", &with_coupon(me, "PEN", "ONCE")).await;
    assert_eq!(again.problem(), (409, "coupon_used_up"));
    assert_eq!(
        quote(&client, &with_coupon(me, "PEN", "ONCE")).await.problem(),
        (409, "coupon_used_up")
    );
    let (other, stranger) = shop.customer();
    stranger.post("/v1/orders", &with_coupon(other, "PEN", "ONCE")).await.expect(202);
    shop.close().await;
}

#[tokio::test]
async fn bounded_promotions_are_not_used_more_often() {
    let pay = Duration::from_millis(300);
    let mut shop = Shop::open(Deadlines { pay, ..Deadlines::NONE }).await;
    shop.sell(&[("PEN", 5_000), ("SILENT-1", 5_000)]).await;
    let other = shop.start_instance().await;
    let rule = json!({ "name": "First five", "amount_off": cny(1_000), "coupons": ["FIVE"], "max_uses": 5 });
    let promotion = create(&shop, "/v1/promotions", rule).await;
    let uses = async || shop.admin().get(&promotion).await.expect(200)["uses"].clone();

    // At once, at two instances, by many customers.
    let scopes = [Scope::OrdersWrite, Scope::OrdersRead];
    let requests = (0..40).map(|number| {
        let me = CustomerId::new();
        let at = if number % 2 == 0 { &shop.anonymous } else { &other };
        let client = shop.client_of(at, &me.to_string(), &scopes);
        async move {
            let answer = client.post("/v1/orders", &with_coupon(me, "SILENT-1", "FIVE")).await;
            (client, answer)
        }
    });
    let answers = join_all(requests).await;
    let placed = answers.iter().filter(|(_, answer)| answer.status == 202).count();
    assert_eq!(placed, 5, "{:?}", answers.iter().map(|(_, one)| one.status).collect::<Vec<_>>());
    for (_, answer) in answers.iter().filter(|(_, answer)| answer.status != 202) {
        assert_eq!(answer.problem(), (409, "coupon_used_up"));
    }
    assert_eq!(uses().await, 5);

    // An order that is cancelled, declined or not paid in time leaves its use to others.
    let (client, first) = answers.iter().find(|(_, answer)| answer.status == 202).unwrap();
    let cancel = format!("/v1/orders/{}/cancel", first.body["id"].as_str().unwrap());
    client.post(&cancel, &json!({})).await.expect(200);
    client.post(&cancel, &json!({})).await.expect(200);
    assert_eq!(uses().await, 4);
    for (method, end) in [("test_decline", "payment_failed"), ("manual", "expired")] {
        let (me, client) = shop.customer();
        let mut order = with_coupon(me, "PEN", "FIVE");
        order["payment"]["method"] = json!(method);
        let placed = client.post("/v1/orders", &order).await.expect(202);
        client.wait(placed["id"].as_str().unwrap(), end).await;
        assert_eq!(uses().await, 4, "{end}");
    }
    // A paid order keeps it.
    let (me, client) = shop.customer();
    let mut order = with_coupon(me, "PEN", "FIVE");
    order["payment"]["method"] = json!("test");
    let placed = client.post("/v1/orders", &order).await.expect(202);
    client.wait(placed["id"].as_str().unwrap(), "confirmed").await;
    assert_eq!(uses().await, 5);
    assert_eq!(shop.count("select count(*) from promotion_use").await, 5);
    shop.close().await;
}

#[tokio::test]
async fn a_changed_rule_holds_at_every_instance_at_once() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_000)]).await;
    let other = shop.start_instance().await;
    let (me, client) = shop.customer();
    let at_other = shop.client_of(&other, &me.to_string(), &[Scope::OrdersWrite]);
    let total = async || {
        let body = order_request(me, &[("PEN", 1)], "manual");
        at_other.post("/v1/orders", &body).await.expect(202)["total"]["amount"].clone()
    };
    assert_eq!(total().await, 5_000);
    let sale = |points: i64| json!({ "name": "Sale", "basis_points_off": points });
    let path = create(&shop, "/v1/promotions", sale(1_000)).await;
    assert_eq!(total().await, 4_500);
    shop.admin().put(&path, &sale(2_000)).await.expect(200);
    assert_eq!(total().await, 4_000);
    shop.admin().delete(&path).await.expect(204);
    assert_eq!(total().await, 5_000);
    drop(client);
    shop.close().await;
}

#[tokio::test]
async fn a_shop_with_rates_ships_only_where_it_has_one() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_000), ("COSTLY", 1_000_000_000_000)]).await;
    let (me, client) = shop.customer();
    let rate = |country: &str, region: Option<&str>, from: i64, price: i64| {
        json!({
            "name": "Parcel", "country": country, "region": region, "from_goods": cny(from), "price": cny(price),
        })
    };
    for rate in
        [rate("CN", None, 0, 1_000), rate("CN", None, 9_900, 0), rate("CN", Some("西藏"), 0, 3_000)]
    {
        create(&shop, "/v1/shipping-rates", rate).await;
    }
    let shipping = async |pieces: i64, country: &str, region: Option<&str>| {
        let mut order = order_request(me, &[("PEN", pieces)], "manual");
        order["shipping_address"]["country"] = json!(country);
        order["shipping_address"]["region"] = json!(region);
        quote(&client, &order).await
    };
    for (pieces, region, price) in
        [(1, None, 1_000), (2, None, 0), (1, Some("西藏"), 3_000), (2, Some("上海"), 0)]
    {
        let quoted = shipping(pieces, "cn", region).await.expect(200);
        assert_eq!(quoted["costs"]["shipping"], cny(price), "{pieces} {region:?}");
    }
    assert_eq!(shipping(1, "US", None).await.problem(), (422, "no_shipping_rate"));
    let mut abroad = order_request(me, &[("PEN", 1)], "manual");
    abroad["shipping_address"]["country"] = json!("US");
    assert_eq!(client.post("/v1/orders", &abroad).await.problem(), (422, "no_shipping_rate"));

    // The total has the bound of every amount.
    let mut dear = order_request(me, &[("COSTLY", 1)], "manual");
    assert_eq!(client.post("/v1/orders", &dear).await.expect(202)["total"], cny(1_000_000_000_000));
    dear["shipping_address"]["region"] = json!("西藏");
    assert_eq!(client.post("/v1/orders", &dear).await.problem(), (422, "total_too_large"));
    dear["expected_total"] = cny(1 << 53);
    assert_eq!(client.post("/v1/orders", &dear).await.problem(), (422, "invalid_body"));
    shop.close().await;
}

#[tokio::test]
async fn an_order_that_is_priced_late_costs_shipping_too() {
    let shop = Shop::open(Deadlines::NONE).await;
    let shipping = json!({ "name": "Parcel", "country": "CN", "price": cny(800) });
    create(&shop, "/v1/shipping-rates", shipping).await;
    let bounded = json!({ "name": "First", "basis_points_off": 5_000, "max_uses": 1 });
    create(&shop, "/v1/promotions", bounded).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "LATE-1", "test").await;
    shop.wait_for_reservation(&id, "reserved", 0).await;
    shop.sell(&[("LATE-1", 4_200)]).await;
    let confirmed = client.wait(&id, "confirmed").await;
    // A promotion whose uses are counted does not apply afterwards.
    assert_eq!(confirmed["total"], cny(5_000));
    let read = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    assert_eq!((&read["costs"]["shipping"], &read["total"]), (&cny(800), &cny(5_000)));
    shop.close().await;
}
