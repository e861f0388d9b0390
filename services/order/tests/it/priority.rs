//! Which orders overtake others under a backlog.

use envelope::Slot;
use futures::{StreamExt as _, stream};
use runtime::auth::Scope;
use serde_json::{Value, json};
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;
use uuid::Uuid;
use vocabulary::CustomerId;

use crate::{
    customer_erasures::start_behavior_analytics,
    inventory_double::SLOW_LOCK,
    shop::{Client, Deadlines, Shop, order_request},
};

const SLOT_GROUPS: &str = "order=4,reservation=4";

/// The last of four queues is that of customers with priority.
const QUEUES: &str = "vip=1,bulk=3";
const VIP_QUEUE: u8 = 3;

const LIST: &str = "/v1/priority-customers";

/// The queue in which the events of a new order wait.
async fn queue(client: &Client, customer: CustomerId) -> u8 {
    let order = client.place(customer, "SILENT-1", "test").await;
    Slot::of(&order).number() % 4
}

/// The queues of several new orders, without repetitions.
async fn queues(client: &Client, customer: CustomerId) -> Vec<u8> {
    let mut queues = Vec::new();
    for _ in 0..12 {
        queues.push(queue(client, customer).await);
    }
    queues.sort_unstable();
    queues.dedup();
    queues
}

async fn listed(admin: &Client) -> Vec<Value> {
    let page = admin.get(LIST).await.expect(200);
    page["items"].as_array().unwrap().iter().map(|item| item["customer_id"].clone()).collect()
}

#[tokio::test]
async fn priority_comes_from_the_token_or_an_operator() {
    let mut shop = Shop::open_with_queues(Deadlines::NONE, SLOT_GROUPS, Some(QUEUES)).await;
    let _analytics = start_behavior_analytics(&shop).await;
    let (me, client) = shop.customer();
    let admin = shop.admin();
    assert!(!queues(&client, me).await.contains(&VIP_QUEUE));
    assert!(!queues(&admin, me).await.contains(&VIP_QUEUE));
    let vip = shop.client(&me.to_string(), &[Scope::OrdersWrite, Scope::OrdersPriority]);
    assert_eq!(queues(&vip, me).await, [VIP_QUEUE]);
    // A request cannot ask for it.
    let mut asking = order_request(me, &[("SILENT-1", 1)], "test");
    asking["priority"] = json!("vip");
    assert_eq!(client.post("/v1/orders", &asking).await.status, 422);

    let path = format!("{LIST}/{me}");
    for stranger in [&client, &vip] {
        for answer in [stranger.put(&path, &json!({})).await, stranger.get(LIST).await] {
            assert_eq!(answer.problem(), (403, "insufficient_scope"));
        }
        assert_eq!(stranger.delete(&path).await.problem(), (403, "insufficient_scope"));
    }
    let other = shop.start_instance().await;
    let at_other = shop.client_of(&other, &me.to_string(), &[Scope::OrdersWrite]);
    queue(&at_other, me).await;
    for _ in 0..2 {
        assert_eq!(admin.put(&path, &json!({})).await.status, 204);
        assert_eq!(listed(&admin).await, [json!(me)]);
    }
    assert_eq!(queues(&client, me).await, [VIP_QUEUE]);
    // The other instance reads the list with its next order.
    queue(&at_other, me).await;
    assert_eq!(queues(&at_other, me).await, [VIP_QUEUE]);
    let (foreign, stranger) = shop.customer();
    assert!(!queues(&stranger, foreign).await.contains(&VIP_QUEUE));

    assert_eq!(admin.put(&format!("{LIST}/{foreign}"), &json!({})).await.status, 204);
    let first = admin.get(&format!("{LIST}?limit=1")).await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = admin.get(&format!("{LIST}?limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!((rest["items"].as_array().unwrap().len(), rest.get("next_cursor")), (1, None));
    assert_ne!(rest["items"][0]["customer_id"], first["items"][0]["customer_id"]);
    assert_eq!(first["items"][0]["added_by"], "admin");

    assert_eq!(admin.delete(&path).await.status, 204);
    assert!(!queues(&client, me).await.contains(&VIP_QUEUE));
    // An erased customer is not listed any more.
    stranger.delete(&format!("/v1/customers/{foreign}")).await.expect(202);
    assert_eq!(listed(&admin).await, [Value::Null; 0]);
    shop.close().await;
}

/// Places this many orders for a SKU that inventory reserves slowly, and returns their ids.
async fn place_slow(client: &Client, customer: CustomerId, number: usize) -> Vec<Uuid> {
    let orders = stream::iter(0..number).map(|_| client.place(customer, "SLOW-KB", "test"));
    orders.buffer_unordered(32).map(|id| id.parse::<Uuid>().unwrap()).collect().await
}

/// The orders of the shop confirmed when this share of the `urgent` ones was.
async fn confirmed_before(shop: &Shop, urgent: &[Uuid], share: f64) -> i64 {
    sqlx::query_scalar(
        "with confirmed as (
             select at, order_id = any($1) as is_urgent from order_timeline where event = 'order.confirmed.v1'
         )
         select count(*) from confirmed
         where not is_urgent
             and at < (select percentile_disc($2) within group (order by at) from confirmed where is_urgent)",
    )
    .bind(urgent)
    .bind(share)
    .fetch_one(&shop.order)
    .await
    .unwrap()
}

/// Both backlogs stand before inventory begins, that of the shop first. The urgent orders would be the last of a common queue.
#[tokio::test(flavor = "multi_thread")]
async fn urgent_orders_overtake_a_backlog_that_still_moves() {
    const BULK: usize = 600;
    const URGENT: usize = 40;
    let shop = Shop::open_with_queues(Deadlines::NONE, SLOT_GROUPS, Some(QUEUES)).await;
    shop.sell(&[("SLOW-KB", 100)]).await;
    let (me, _) = shop.customer();
    let vip = shop
        .client(&me.to_string(), &[Scope::OrdersWrite, Scope::OrdersRead, Scope::OrdersPriority]);
    let mut stopped = shop.inventory.outbox().pool().begin().await.unwrap();
    let _: i32 = sqlx::query_scalar("select 1 from pg_advisory_xact_lock($1)")
        .bind(SLOW_LOCK)
        .fetch_one(&mut *stopped)
        .await
        .unwrap();
    place_slow(&shop.admin(), me, BULK).await;
    let urgent = place_slow(&vip, me, URGENT).await;
    stopped.rollback().await.unwrap();
    wait_for("all orders are confirmed", LONGEST_WAIT, async || {
        let open = shop.count("select count(*) from orders where status <> 'confirmed'").await;
        if open == 0 { Ok(()) } else { Err(open) }
    })
    .await
    .unwrap();
    let bulk = i64::try_from(BULK).unwrap();
    let (half, last) =
        (confirmed_before(&shop, &urgent, 0.5).await, confirmed_before(&shop, &urgent, 1.0).await);
    assert!(half < bulk / 2, "{half} of {bulk} before half of the urgent orders");
    assert!((1..bulk).contains(&last), "{last} of {bulk} before the last urgent order");
    shop.close().await;
}

#[tokio::test]
async fn queues_that_do_not_exist_are_refused_at_the_start() {
    let shop = Shop::open(Deadlines::NONE).await;
    assert_eq!(
        shop.start_error_with_queues(QUEUES).await,
        "the queues of urgent orders cannot start: PRIORITY_QUEUES has 4 queues, but order has 2 slot groups in SLOT_GROUPS"
    );
    shop.close().await;
}
