//! Rebuilding the copy of the catalogue from a snapshot.

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
async fn replay_finds_and_corrects_damaged_prices() {
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
    let sold_now = active(sold, 1, &[("A", 100), ("B", 200)]);
    let moved_now = active(moved, 2, &[("D", 400)]);
    shop.publish_product(&sold_now, sold, version(1)).await;
    shop.publish_product(&active(moved, 1, &[("C", 300)]), moved, version(1)).await;
    shop.publish_product(&moved_now, moved, version(2)).await;
    shop.publish_product(&active(gone, 1, &[("E", 500)]), gone, version(1)).await;
    shop.publish_product(&deleted, gone, version(2)).await;

    // The snapshot of the catalogue.
    let items = vec![entry(&sold_now, 1), entry(&moved_now, 2), entry(&deleted, 2)];
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
    let operator = shop.client_of(&instance, "operator", &[Scope::Ops]);
    let replay = async |query: &str| {
        let answer = operator.send(Method::POST, &format!("{REPLAY}{query}"), None, None).await;
        answer.expect(200)
    };

    // Offers that are not for sale are not in the snapshot, and are no difference.
    let intact = replay("?compare_only=true").await;
    assert_eq!((&intact["differences"], &intact["entries"]), (&0.into(), &3.into()), "{intact}");
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

    // Events continue at the position before the replay.
    shop.publish_product(&active(sold, 2, &[("A", 111)]), sold, version(2)).await;
    assert_eq!(shop.count(prices).await, 111 + 400);

    // A replay fails without the catalogue.
    let failed = shop.admin().send(Method::POST, REPLAY, None, None).await;
    assert_eq!(failed.problem(), (503, "replay_gave_up"));
    let stranger = shop.customer().1.send(Method::POST, REPLAY, None, None).await;
    assert_eq!(stranger.problem().0, 403);
    shop.close().await;
}
