//! What one customer may order without paying is bounded.

use runtime::auth::Scope;
use serde_json::json;
use vocabulary::CustomerId;

use crate::shop::{Client, Deadlines, Shop, order_request};

async fn place(client: &Client, customer: CustomerId, sku: &str, pieces: i64, method: &str) -> u16 {
    let body = order_request(customer, &[(sku, pieces)], method);
    client.post("/v1/orders", &body).await.status.as_u16()
}

#[tokio::test]
async fn a_customer_cannot_hold_the_stock_without_paying() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 100), ("INK", 100)]).await;
    let (me, client) = shop.customer();
    let refused = client.post("/v1/orders", &order_request(me, &[("PEN", 5_000)], "manual")).await;
    assert_eq!(refused.problem(), (422, "order_limit_exceeded"));
    assert_eq!((&refused.body["skus"], &refused.body["limit"]), (&json!(["PEN"]), &json!(200)));
    // Paid orders are bounded per line, and not in their number.
    assert_eq!(place(&client, me, "PEN", 201, "test").await, 422);

    assert_eq!(place(&client, me, "PEN", 150, "manual").await, 202);
    assert_eq!(place(&client, me, "PEN", 51, "manual").await, 422);
    assert_eq!(place(&client, me, "PEN", 50, "manual").await, 202);
    assert_eq!(place(&client, me, "INK", 200, "manual").await, 202);
    assert_eq!(place(&client, me, "PEN", 200, "test").await, 202);
    let (other, stranger) = shop.customer();
    assert_eq!(place(&stranger, other, "PEN", 200, "manual").await, 202);
    assert_eq!(place(&shop.admin(), me, "PEN", 5_000, "manual").await, 202);
    shop.close().await;
}

#[tokio::test]
async fn the_number_of_unpaid_orders_is_bounded() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 100)]).await;
    let instances =
        [shop.start_with_few_unpaid_orders().await, shop.start_with_few_unpaid_orders().await];
    let (me, _) = shop.customer();
    let scopes = [Scope::OrdersWrite, Scope::OrdersRead];
    let [client, second] =
        instances.map(|instance| shop.client_of(&instance, &me.to_string(), &scopes));
    // At once, at two instances: each order counts the others.
    let requests = (0..40).map(|number| {
        let at = if number % 2 == 0 { &client } else { &second };
        place(at, me, "PEN", 1, "manual")
    });
    let statuses = futures::future::join_all(requests).await;
    assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 10, "{statuses:?}");
    let refused = client.post("/v1/orders", &order_request(me, &[("PEN", 1)], "manual")).await;
    assert_eq!(refused.problem(), (409, "too_many_unpaid_orders"));

    // A paid order and a cancelled one make room.
    let listed = client.get("/v1/orders?limit=10").await.expect(200);
    let id = |at: usize| listed["items"][at]["id"].as_str().unwrap().to_owned();
    client.wait(&id(0), "reserved").await;
    client.post(&format!("/v1/orders/{}/payment", id(0)), &json!({})).await.expect(200);
    client.post(&format!("/v1/orders/{}/cancel", id(1)), &json!({})).await.expect(200);
    assert_eq!(place(&client, me, "PEN", 1, "manual").await, 202);
    assert_eq!(place(&client, me, "PEN", 1, "manual").await, 202);
    assert_eq!(place(&client, me, "PEN", 1, "manual").await, 409);
    shop.close().await;
}

#[tokio::test]
async fn the_hold_of_scarce_stock_is_short_and_can_be_extended_once() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 100), ("SCARCE-1", 100), ("SILENT-1", 100)]).await;
    let (me, client) = shop.customer();
    let end = |order: &serde_json::Value, field: &str| -> chrono::DateTime<chrono::Utc> {
        order[field].as_str().unwrap().parse().unwrap()
    };
    // An hour, and half an hour where few pieces are left.
    for (sku, minutes) in [("PEN", 60), ("SCARCE-1", 30)] {
        let id = client.place(me, sku, "manual").await;
        let reserved = client.wait(&id, "reserved").await;
        assert_eq!(reserved["hold_extendable"], true);
        let held = end(&reserved, "expires_at") - end(&reserved, "updated_at");
        assert_eq!(held.num_minutes(), minutes, "{sku}");

        let extend = format!("/v1/orders/{id}/extend-hold");
        let (_, stranger) = shop.customer();
        assert_eq!(stranger.post(&extend, &json!({})).await.problem(), (403, "not_yours"));
        let extended = client.post(&extend, &json!({})).await.expect(200);
        let longer = end(&extended, "expires_at") - end(&reserved, "expires_at");
        assert_eq!((longer.num_minutes(), &extended["hold_extendable"]), (minutes, &json!(false)));
        let again = client.post(&extend, &json!({})).await;
        assert_eq!(again.problem(), (409, "hold_not_extendable"));
        client.timeline_with(&id, "order hold.extended").await;
        let paid = client.post(&format!("/v1/orders/{id}/payment"), &json!({})).await.expect(200);
        assert_eq!(paid["status"], "confirmed");
    }
    let id = client.place(me, "SILENT-1", "manual").await;
    let early = client.post(&format!("/v1/orders/{id}/extend-hold"), &json!({})).await;
    assert_eq!(
        (early.problem(), &early.body["order_status"]),
        ((409, "hold_not_extendable"), &json!("placed"))
    );
    shop.close().await;
}
