//! The copy of the catalogue is built again from what the catalogue has.

use axum::{Json, Router, routing::get};
use contracts::catalog::{ProductDeletedV1, ProductStatus};
use envelope::Event;
use messaging::snapshot::{Entry, Page};
use reqwest::Method;
use runtime::auth::Scope;
use tokio::{net::TcpListener, task::JoinSet};
use vocabulary::{ChangeId, ProductId, Version};

use crate::shop::{Deadlines, Shop, changed};

const REPLAY: &str = "/v1/replays/offers";

fn entry(event: &impl Event, sequence: i64) -> Entry {
    Entry::of(event, sequence).unwrap()
}

#[tokio::test]
async fn damaged_prices_are_found_and_put_right() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    let [sold, moved, gone] = [ProductId::new(), ProductId::new(), ProductId::new()];
    let version = |number: i64| Version::try_from(number).unwrap();
    let active = |product, number, prices: &[(&str, i64)]| {
        changed(product, number, ProductStatus::Active, prices)
    };
    let deleted = ProductDeletedV1 {
        product_id: gone,
        version: version(2),
        change_id: ChangeId::new(),
        deleted_at: chrono::DateTime::UNIX_EPOCH,
    };
    let now_sold = active(sold, 1, &[("A", 100), ("B", 200)]);
    let now_moved = active(moved, 2, &[("D", 400)]);
    shop.say_product(&now_sold, sold, version(1)).await;
    shop.say_product(&active(moved, 1, &[("C", 300)]), moved, version(1)).await;
    shop.say_product(&now_moved, moved, version(2)).await;
    shop.say_product(&active(gone, 1, &[("E", 500)]), gone, version(1)).await;
    shop.say_product(&deleted, gone, version(2)).await;

    // What the catalogue would answer.
    let items = vec![entry(&now_sold, 1), entry(&now_moved, 2), entry(&deleted, 2)];
    let page = Page { items, next: None };
    let answer = get(async move || Json(page.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut catalogue = JoinSet::new();
    catalogue.spawn(async move {
        let router = Router::new().route("/v1/snapshots/product", answer);
        axum::serve(listener, router).await.unwrap();
    });
    let instance = shop.start_with_catalogue(&url).await;
    let operator = shop.known_to(&instance, "operator", &[Scope::Ops]);
    let replay = async |query: &str| {
        let answer = operator.send(Method::POST, &format!("{REPLAY}{query}"), None, None).await;
        answer.expect(200)
    };

    // What a product listed once is not in the snapshot, and is not missed.
    let sound = replay("?compare_only=true").await;
    assert_eq!((&sound["differences"], &sound["entries"]), (&0.into(), &3.into()), "{sound}");
    sqlx::raw_sql(
        "update offer set amount = 1 where sku = 'A';
         delete from offer where sku = 'B';
         update offer set for_sale = true where sku = 'E';
         delete from offer where sku = 'D'; delete from offer where sku = 'C';
         delete from product where version = 2 and product_id not in (select product_id from offer)",
    )
    .execute(&shop.order)
    .await
    .unwrap();
    for (query, swapped) in [("?compare_only=true", false), ("", true)] {
        let found = replay(query).await;
        assert_eq!(
            (&found["differences"], &found["swapped"]),
            (&5.into(), &swapped.into()),
            "{found}"
        );
    }
    assert_eq!(replay("").await["differences"], 0);
    let prices = "select sum(amount)::bigint from offer where for_sale";
    assert_eq!(shop.count(prices).await, 100 + 200 + 400);

    // Events go on from where they were.
    shop.say_product(&active(sold, 2, &[("A", 111)]), sold, version(2)).await;
    assert_eq!(shop.count(prices).await, 111 + 400);

    // A catalogue that does not answer is said to be the reason.
    let nobody = shop.admin().send(Method::POST, REPLAY, None, None).await;
    assert_eq!(nobody.problem(), (503, "replay_gave_up"));
    let stranger = shop.customer().1.send(Method::POST, REPLAY, None, None).await;
    assert_eq!(stranger.problem().0, 403);
    shop.close().await;
}
