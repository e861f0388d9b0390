//! Orders reserve stock, release it and deduct it.

use std::collections::BTreeSet;

use contracts::{
    inventory::{Shortage, StockRejection},
    order::{Destination, OrderPlacedV1},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use service_testkit::{LONGEST_WAIT, events::product_changed};
use testkit::wait_for;
use vocabulary::{OrderId, ProductId, WarehouseId};

use crate::suite::{
    Suite, cancelled, expired, line_cancelled, parcel_shipped, payment_failed, placed, rejected,
    return_received, shipped,
};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_pieces_serve_twenty_of_two_hundred_orders() {
    let suite = Suite::stocked(&[("HOT", 20)]).await;
    let orders: Vec<OrderPlacedV1> = (0..200).map(|_| placed(&[("HOT", 1)])).collect();
    let publishing = orders.chunks(10).map(|orders| suite.order.publish_all(orders));
    join_all(publishing).await;

    let rejected = suite.rejected.wait(180, |_| true).await;
    let reserved = suite.reserved.wait(20, |_| true).await;
    assert!(rejected.iter().all(|one| one.reason == StockRejection::InsufficientStock));
    assert_eq!((reserved.len(), rejected.len()), (20, 180));
    let reserved = reserved.iter().map(|one| one.order_id);
    let answered: BTreeSet<OrderId> =
        reserved.chain(rejected.iter().map(|one| one.order_id)).collect();
    assert_eq!(answered, orders.iter().map(|order| order.order_id).collect());
    assert_eq!(suite.levels("HOT").await, (20, 20, 0));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_last_and_the_first_piece_change_availability() {
    let suite = Suite::stocked(&[("FEW", 2)]).await;
    let first = suite.availability.wait_one(|_| true).await;
    assert_eq!((first.sku.as_str(), first.in_stock), ("FEW", true));
    let (one, two) = (placed(&[("FEW", 1)]), placed(&[("FEW", 1)]));
    for order in [&one, &two] {
        suite.order.publish(order).await;
        suite.reserved.wait_one(|reserved| reserved.order_id == order.order_id).await;
    }
    suite.availability.wait(2, |_| true).await;
    suite.order.publish(&cancelled(two.order_id)).await;
    suite.released.wait_one(|_| true).await;
    let events = suite.availability.wait(3, |_| true).await;
    let in_stock: Vec<bool> = events.iter().map(|event| event.in_stock).collect();
    assert_eq!(in_stock, [true, false, true]);
    // Every movement changes the stock, and few the availability.
    suite.changed.wait(events.len() + 1, |_| true).await;
    suite.finish(0).await;
}

/// Runs `futures` concurrently to their end.
async fn join_all<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut all: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_stock_changes_never_deadlock() {
    let names: Vec<String> = (0..20).map(|number| format!("S{number}")).collect();
    let levels: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 100)).collect();
    let suite = Suite::stocked(&levels).await;
    let order = |number: usize| {
        let (first, second) = (levels[number * 7 % 20].0, levels[(number * 13 + 1) % 20].0);
        placed(&[(first, 1), (second, 2)])
    };
    let orders: Vec<OrderPlacedV1> = (0..1000).map(order).collect();
    let buying = async {
        for tens in orders.chunks(10) {
            suite.order.publish_all(tens).await;
            // Some orders are rejected and need no release, so the outcome is not awaited.
            let ended: Vec<_> = tens.iter().map(|order| cancelled(order.order_id)).collect();
            suite.order.publish_all(&ended).await;
        }
    };
    let counting = async {
        for round in 0..50 {
            let lines: Vec<_> = levels
                .iter()
                .rev()
                .map(|(sku, _)| json!({"sku": sku, "on_hand": 80 + round}))
                .collect();
            assert_eq!(suite.post("/v1/stock", json!(lines)).await.0, StatusCode::OK);
        }
    };
    tokio::join!(buying, counting);
    suite.order.wait_until_published().await;
    suite.wait_until_queues_are_empty().await;
    let shipping: Vec<OrderPlacedV1> = (0..20).map(order).collect();
    let ids: BTreeSet<OrderId> = shipping.iter().map(|order| order.order_id).collect();
    suite.order.publish_all(&shipping).await;
    suite.reserved.wait(20, |one| ids.contains(&one.order_id)).await;
    let ships: Vec<_> = ids.iter().map(|order| shipped(*order)).collect();
    suite.order.publish_all(&ships).await;
    suite.deducted.wait(20, |_| true).await;
    assert_eq!(suite.reserved.all().len() + suite.rejected.all().len(), 1020);
    assert_eq!(suite.released.all().len() + 20, suite.reserved.all().len());
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(suite.count(deadlocks).await, 0);
    assert_eq!(suite.count("select sum(reserved)::bigint from stock").await, 0);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn order_is_reserved_whole_and_deducted_when_shipped() {
    let suite = Suite::stocked(&[("A", 5), ("B", 3)]).await;
    let order = placed(&[("A", 2), ("B", 3)]);
    suite.order.publish(&order).await;
    suite.reserved.wait(1, |one| one.order_id == order.order_id).await;
    assert_eq!((suite.levels("A").await, suite.levels("B").await), ((5, 2, 3), (3, 3, 0)));
    let (status, reservation) = suite.get(&format!("/v1/reservations/{}", order.order_id)).await;
    assert_eq!((status, &reservation["status"]), (StatusCode::OK, &json!("reserved")));
    assert_eq!(reservation["lines"][0]["quantity"], 2);

    let short = placed(&[("A", 1), ("B", 1)]);
    suite.order.publish(&short).await;
    let rejections = suite.rejected.wait(1, |one| one.order_id == short.order_id).await;
    let shortage = Shortage { sku: "B".parse().unwrap(), requested: 1, available: 0 };
    assert_eq!(rejections[0].shortages, [shortage]);
    assert_eq!(suite.levels("A").await, (5, 2, 3));

    suite.order.publish(&shipped(order.order_id)).await;
    suite.deducted.wait(1, |one| one.order_id == order.order_id).await;
    assert_eq!((suite.levels("A").await, suite.levels("B").await), ((3, 0, 3), (0, 0, 0)));
    let (_, reservation) = suite.get(&format!("/v1/reservations/{}", order.order_id)).await;
    assert_eq!(reservation["status"], "deducted");
    assert!(reservation["closed_at"].is_string());
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failed_order_is_released_once() {
    let suite = Suite::stocked(&[("A", 10)]).await;
    let orders: Vec<OrderPlacedV1> = (0..4).map(|_| placed(&[("A", 2)])).collect();
    suite.order.publish_all(&orders).await;
    suite.reserved.wait(4, |_| true).await;
    assert_eq!(suite.levels("A").await, (10, 8, 2));

    let ids: Vec<OrderId> = orders.iter().map(|order| order.order_id).collect();
    suite.order.publish(&cancelled(ids[0])).await;
    suite.order.publish(&expired(ids[1])).await;
    suite.order.publish(&payment_failed(ids[2])).await;
    suite.order.publish(&rejected(ids[3])).await;
    suite.released.wait(4, |_| true).await;
    assert_eq!(suite.levels("A").await, (10, 0, 10));

    // A repetition changes nothing, and an order without a reservation needs no release.
    suite
        .order
        .publish_all(&[cancelled(ids[0]), cancelled(ids[1]), cancelled(OrderId::new())])
        .await;
    let last = placed(&[("A", 1)]);
    suite.order.publish(&last).await;
    suite.reserved.wait(1, |one| one.order_id == last.order_id).await;
    let pool = suite.pool.clone();
    let reasons: Vec<String> =
        sqlx::query_scalar("select reason from ledger where kind = 'released' order by reason")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(reasons, ["cancelled", "expired", "payment_failed", "rejected"]);
    assert_eq!(suite.released.all().len(), 4);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_event_takes_effect_once() {
    let suite = Suite::stocked(&[("A", 10)]).await;
    let order = placed(&[("A", 2)]);
    suite.order.publish(&order).await;
    suite.reserved.wait(1, |_| true).await;
    let shipment = shipped(order.order_id);
    suite.order.publish(&shipment).await;
    suite.deducted.wait(1, |_| true).await;
    for _ in 0..3 {
        suite.order.redeliver(&order, 1).await;
        suite.order.redeliver(&shipment, 2).await;
    }
    let other = placed(&[("A", 1)]);
    suite.order.publish(&other).await;
    suite.reserved.wait(1, |one| one.order_id == other.order_id).await;
    suite.order.wait_until_published().await;
    suite.wait_until_queues_are_empty().await;
    assert_eq!((suite.reserved.all().len(), suite.deducted.all().len()), (2, 1));
    assert_eq!(suite.levels("A").await, (8, 1, 7));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn order_waits_for_a_late_sku() {
    let suite = Suite::stocked(&[("A", 10)]).await;
    let order = placed(&[("A", 1), ("LATE", 1)]);
    suite.order.publish(&order).await;
    let parked = "select count(*) from messaging.parked where why = 'retry'";
    wait_for("the order is parked", LONGEST_WAIT, async || match suite.count(parked).await {
        0 => Err("not yet"),
        _ => Ok(()),
    })
    .await
    .unwrap();
    assert_eq!(suite.levels("A").await, (10, 0, 10));
    suite.catalogue.publish(&product_changed(ProductId::new(), 1, &["LATE"])).await;
    let rejections = suite.rejected.wait(1, |one| one.order_id == order.order_id).await;
    assert_eq!(rejections[0].reason, StockRejection::InsufficientStock);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn order_for_an_unknown_sku_is_finally_rejected() {
    let suite = Suite::stocked(&[("A", 10)]).await;
    let order = placed(&[("A", 1), ("GHOST", 1)]);
    suite.order.publish(&order).await;
    suite.order.publish(&rejected(order.order_id)).await;
    // Other orders continue.
    let other = placed(&[("A", 1)]);
    suite.order.publish(&other).await;
    suite.reserved.wait(1, |one| one.order_id == other.order_id).await;
    assert!(suite.rejected.all().is_empty());

    let rejections = suite.rejected.wait(1, |one| one.order_id == order.order_id).await;
    assert_eq!(rejections[0].reason, StockRejection::UnknownSku);
    assert_eq!(rejections[0].shortages.len(), 1);
    let (status, _) = suite.get(&format!("/v1/reservations/{}", order.order_id)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shipment_without_reservation_becomes_dead_letter() {
    let suite = Suite::stocked(&[("A", 10)]).await;
    let order = placed(&[("A", 1)]);
    suite.order.publish(&order).await;
    suite.order.publish(&cancelled(order.order_id)).await;
    suite.order.publish(&shipped(order.order_id)).await;
    let never_placed = OrderId::new();
    suite.order.publish(&shipped(never_placed)).await;
    let pending =
        "select count(*) from messaging.dead_letter where reason = 'nothing_reserved' and blocks";
    wait_for("two dead letters are recorded", LONGEST_WAIT, async || {
        match suite.count(pending).await {
            2 => Ok(()),
            count => Err(format!("{count} are")),
        }
    })
    .await
    .unwrap();
    assert_eq!(suite.levels("A").await, (10, 0, 10));
    suite.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_warehouse_serves_the_order_if_it_can() {
    let suite = Suite::stocked(&[("A", 1), ("B", 5)]).await;
    let (status, far) = suite.post("/v1/warehouses", json!({"name": "Far"})).await;
    assert_eq!(status, StatusCode::CREATED);
    let far = far["id"].as_str().unwrap();
    for sku in ["A", "B"] {
        let body = json!({"on_hand": 3, "warehouse_id": far});
        assert_eq!(suite.put(&format!("/v1/stock/{sku}"), body).await.0, StatusCode::OK);
    }
    let whole = placed(&[("A", 2), ("B", 2)]);
    suite.order.publish(&whole).await;
    suite.reserved.wait(1, |one| one.order_id == whole.order_id).await;
    let (_, reservation) = suite.get(&format!("/v1/reservations/{}", whole.order_id)).await;
    let places: Vec<&str> = reservation["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["warehouse_id"].as_str().unwrap())
        .collect();
    assert_eq!(places, [far, far]);

    let split = placed(&[("A", 2)]);
    suite.order.publish(&split).await;
    suite.reserved.wait(1, |one| one.order_id == split.order_id).await;
    let (_, reservation) = suite.get(&format!("/v1/reservations/{}", split.order_id)).await;
    assert_eq!(reservation["lines"].as_array().unwrap().len(), 2);
    suite.order.publish(&shipped(split.order_id)).await;
    suite.order.publish(&cancelled(whole.order_id)).await;
    suite.deducted.wait(1, |_| true).await;
    suite.released.wait(1, |_| true).await;
    assert_eq!((suite.levels("A").await, suite.levels("B").await), ((2, 0, 2), (8, 0, 8)));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn priority_and_region_choose_among_equal_warehouses() {
    let suite = Suite::stocked(&[("A", 9)]).await;
    let mut ids = Vec::new();
    for (name, region) in [("Hangzhou", "CN-浙江省"), ("Shanghai", "CN-上海市")] {
        let body = json!({"name": name, "region": region});
        let (_, warehouse) = suite.post("/v1/warehouses", body).await;
        ids.push(warehouse["id"].as_str().unwrap().to_owned());
        let level = json!({"on_hand": 9, "warehouse_id": warehouse["id"]});
        assert_eq!(suite.put("/v1/stock/A", level).await.0, StatusCode::OK);
    }
    let serves = async |destination: Option<(&str, Option<&str>)>| {
        let destination = destination.map(|(country, region)| Destination {
            country: country.to_owned(),
            region: region.map(str::to_owned),
        });
        let order = OrderPlacedV1 { destination, ..placed(&[("A", 1)]) };
        suite.order.publish(&order).await;
        suite.reserved.wait_one(|one| one.order_id == order.order_id).await;
        let (_, reservation) = suite.get(&format!("/v1/reservations/{}", order.order_id)).await;
        reservation["lines"][0]["warehouse_id"].as_str().unwrap().to_owned()
    };
    let main = "01900000-0000-7000-8000-000000000001";
    assert_eq!(serves(None).await, main);
    assert_eq!(serves(Some(("US", None))).await, main);
    assert_eq!(serves(Some(("CN", Some("上海市")))).await, ids[1]);
    // The country decides if the region is unusable.
    assert_eq!(serves(Some(("CN", Some("a\nb")))).await, ids[0]);
    let body = json!({"name": "Hangzhou", "region": "CN-浙江省", "priority": 1});
    let path = format!("/v1/warehouses/{}", ids[0]);
    assert_eq!(suite.put(&path, body).await.0, StatusCode::OK);
    assert_eq!(serves(Some(("CN", Some("上海市")))).await, ids[0]);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_parcel_is_deducted_from_its_warehouse_once() {
    let suite = Suite::stocked(&[("A", 2), ("B", 5)]).await;
    let (_, far) = suite.post("/v1/warehouses", json!({"name": "Far"})).await;
    let level = json!({"on_hand": 4, "warehouse_id": far["id"]});
    assert_eq!(suite.put("/v1/stock/A", level).await.0, StatusCode::OK);
    let order = placed(&[("A", 5), ("B", 1)]);
    let id = order.order_id;
    suite.order.publish(&order).await;
    let reserved = suite.reserved.wait_one(|one| one.order_id == id).await;
    let allocations = reserved.allocations.unwrap();
    let of = |sku: &str, pieces: u32| {
        let found = allocations.iter().find(|allocation| {
            allocation.sku.as_str() == sku && allocation.quantity.get() == pieces
        });
        found.unwrap_or_else(|| unreachable!("{allocations:?}")).warehouse_id
    };
    // The far warehouse has the most of it.
    let (far, main) = (of("A", 4), of("A", 1));
    assert_eq!((of("B", 1), allocations.len()), (main, 3));

    let first = parcel_shipped(id, far, &[("A", 4)]);
    suite.order.publish(&first).await;
    // The same parcel again, as a carrier's callback that is repeated after a restore.
    suite.order.publish(&first).await;
    suite.changed.wait_one(|one| (one.on_hand, one.reserved, one.available) == (2, 1, 1)).await;
    let path = format!("/v1/reservations/{id}");
    let (_, reservation) = suite.get(&path).await;
    let lines = reservation["lines"].as_array().unwrap();
    let parcels: Vec<&Value> = lines.iter().map(|line| &line["parcel_id"]).collect();
    assert_eq!((&reservation["status"], lines.len()), (&json!("reserved"), 3));
    assert_eq!(parcels, [&json!(first.parcel_id), &Value::Null, &Value::Null]);

    // The rest ships as one, as by an earlier version.
    suite.order.publish(&shipped(id)).await;
    suite.deducted.wait_one(|one| one.order_id == id).await;
    assert_eq!((suite.levels("A").await, suite.levels("B").await), ((1, 0, 1), (4, 0, 4)));
    let (_, reservation) = suite.get(&path).await;
    assert_eq!(reservation["status"], "deducted");
    suite.order.publish(&parcel_shipped(id, main, &[("A", 1), ("B", 1)])).await;

    // Parcels alone close a reservation, and what is left after one of them can be released.
    let both = placed(&[("A", 1), ("B", 3)]);
    let (_, near) = suite.post("/v1/warehouses", json!({"name": "Near"})).await;
    let level = json!({"on_hand": 0, "warehouse_id": main});
    assert_eq!(suite.put("/v1/stock/A", level).await.0, StatusCode::OK);
    let level = json!({"on_hand": 9, "warehouse_id": near["id"]});
    assert_eq!(suite.put("/v1/stock/A", level).await.0, StatusCode::OK);
    let near = near["id"].as_str().unwrap().parse().unwrap();
    let released = placed(&[("A", 2), ("B", 1)]);
    for order in [&both, &released] {
        suite.order.publish(order).await;
        suite.reserved.wait_one(|one| one.order_id == order.order_id).await;
    }
    suite.order.publish(&parcel_shipped(both.order_id, near, &[("A", 1)])).await;
    suite.order.publish(&parcel_shipped(both.order_id, main, &[("B", 3)])).await;
    suite.order.publish(&shipped(both.order_id)).await;
    suite.deducted.wait_one(|one| one.order_id == both.order_id).await;
    suite.order.publish(&parcel_shipped(released.order_id, near, &[("A", 2)])).await;
    suite.order.publish(&cancelled(released.order_id)).await;
    suite.released.wait_one(|one| one.order_id == released.order_id).await;
    assert_eq!((suite.levels("A").await, suite.levels("B").await), ((6, 0, 6), (1, 0, 1)));
    assert_eq!(suite.deducted.all().len(), 2);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn returned_pieces_are_restocked_or_written_off_once() {
    let suite = Suite::stocked(&[("A", 3), ("B", 1)]).await;
    let (_, far) = suite.post("/v1/warehouses", json!({"name": "Far"})).await;
    let far: WarehouseId = far["id"].as_str().unwrap().parse().unwrap();
    let order = placed(&[("A", 3), ("B", 1)]);
    let id = order.order_id;
    suite.order.publish(&order).await;
    suite.order.publish(&shipped(id)).await;
    suite.deducted.wait_one(|one| one.order_id == id).await;
    assert_eq!((suite.levels("A").await, suite.levels("B").await), ((0, 0, 0), (0, 0, 0)));

    let first = return_received(id, Some(far), &[("A", 1)], &[("A", 1), ("B", 1)]);
    suite.order.publish(&first).await;
    // The same return again, as after a restore of the order service.
    suite.order.publish(&first).await;
    // A warehouse that does not exist: the pieces are in the main one.
    let second = return_received(id, Some(WarehouseId::new()), &[("A", 1)], &[]);
    suite.order.publish(&second).await;
    suite
        .changed
        .wait_one(|one| one.sku.as_str() == "A" && (one.on_hand, one.reserved) == (2, 0))
        .await;
    assert_eq!(suite.levels("B").await, (0, 0, 0));
    let (_, stock) = suite.get("/v1/stock/A").await;
    let levels = stock["warehouses"].as_array().unwrap();
    let on_hand: Vec<&Value> = levels.iter().map(|level| &level["on_hand"]).collect();
    assert_eq!(on_hand, [&json!(1), &json!(1)], "{stock}");
    let (_, ledger) = suite.get("/v1/stock/A/ledger").await;
    let movements: Vec<(&str, i64)> = ledger["items"]
        .as_array()
        .unwrap()
        .iter()
        .take(4)
        .map(|entry| (entry["kind"].as_str().unwrap(), entry["on_hand_delta"].as_i64().unwrap()))
        .collect();
    assert_eq!(movements, [("returned", 1), ("written_off", -1), ("returned", 1), ("returned", 1)]);
    assert_eq!(suite.count("select count(*) from received_return").await, 2);

    // The rest of the order's events wait behind a return of an unknown SKU.
    let unknown = return_received(id, None, &[("NO-SUCH-SKU", 1)], &[]);
    suite.order.publish(&unknown).await;
    suite.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_pieces_are_released_once_and_the_rest_ships() {
    let suite = Suite::stocked(&[("A", 3), ("B", 2)]).await;
    let order = placed(&[("A", 3), ("B", 2)]);
    let id = order.order_id;
    suite.order.publish(&order).await;
    suite.reserved.wait_one(|one| one.order_id == id).await;
    let some = line_cancelled(id, "A", &[(None, 2)]);
    suite.order.publish(&some).await;
    // The same cancellation again, as after a restore of the order service.
    suite.order.publish(&some).await;
    suite.changed.wait_one(|one| (one.on_hand, one.reserved, one.available) == (3, 1, 2)).await;
    suite.order.publish(&line_cancelled(id, "B", &[(None, 2)])).await;
    suite.order.publish(&shipped(id)).await;
    suite.deducted.wait_one(|one| one.order_id == id).await;
    assert_eq!((suite.levels("A").await, suite.levels("B").await), ((2, 0, 2), (2, 0, 2)));
    assert_eq!(suite.count("select count(*) from released_line").await, 2);
    // More than the order holds.
    let other = placed(&[("A", 1)]);
    suite.order.publish(&other).await;
    suite.reserved.wait_one(|one| one.order_id == other.order_id).await;
    suite.order.publish(&line_cancelled(other.order_id, "A", &[(None, 2)])).await;
    suite.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn low_stock_is_published_once_until_it_rises() {
    let suite = Suite::stocked(&[("A", 7)]).await;
    let (_, stock) = suite.get("/v1/stock/A").await;
    assert_eq!(stock["low_stock_threshold"], 5);
    let order = placed(&[("A", 2)]);
    suite.order.publish(&order).await;
    let low = suite.low.wait_one(|_| true).await;
    assert_eq!((low.sku.as_str(), low.available, low.threshold), ("A", 5, 5));
    suite.order.publish(&shipped(order.order_id)).await;
    suite.deducted.wait_one(|_| true).await;
    // Fewer pieces are published no second time, nor is a lower threshold.
    for body in [json!({"on_hand": 4}), json!({"on_hand": 4, "low_stock_threshold": 3})] {
        let (status, stock) = suite.put("/v1/stock/A", body).await;
        assert_eq!(status, StatusCode::OK, "{stock}");
    }
    let (_, stock) = suite.put("/v1/stock/A", json!({"on_hand": 3})).await;
    assert_eq!(stock["low_stock_threshold"], 3);
    let low = suite.low.wait(2, |_| true).await;
    assert_eq!((low[1].available, low[1].threshold), (3, 3));
    let (_, stock) =
        suite.put("/v1/stock/A", json!({"on_hand": 20, "low_stock_threshold": null})).await;
    assert_eq!((&stock["low_stock_threshold"], &stock["available"]), (&json!(5), &json!(20)));
    let (status, problem) =
        suite.put("/v1/stock/A", json!({"on_hand": 1, "low_stock_threshold": -1})).await;
    let field = &problem["errors"][0]["field"];
    assert_eq!((status.as_u16(), field), (422, &json!("low_stock_threshold")));
    // A higher threshold makes the SKU low without a movement.
    suite.put("/v1/stock/A", json!({"on_hand": 20, "low_stock_threshold": 20})).await;
    let low = suite.low.wait(3, |_| true).await;
    assert_eq!((low[2].available, low[2].threshold), (20, 20));
    suite.finish(0).await;
}
