//! The topology of the five services on one broker.

use std::time::Duration;

use messaging::{
    declarations::Declarations,
    topology_plan::{BrokerState, Plan},
};
use system_tests::{Servers, Shop};
use testkit::{Vhost, wait_for};
use uuid::Uuid;

const TIMEOUT: Duration = Duration::from_mins(1);

/// How long a suite on a wiped broker needs. A message may be lost at each step of an order, and each loss is noticed within half a
/// minute.
const HEALED: Duration = Duration::from_mins(4);

/// What the services declare.
fn declared() -> Vec<Declarations> {
    let topologies = [
        product_catalog::topology(),
        order::topology(),
        inventory::topology(),
        search_sync::topology(),
        behavior_analytics::topology(),
    ];
    topologies.iter().map(messaging::Topology::declarations).collect()
}

async fn plan(vhost: &Vhost) -> Plan {
    let management = vhost.management();
    let found = BrokerState {
        exchanges: management.list("exchanges", vhost.name()).await.unwrap(),
        queues: management.list("queues", vhost.name()).await.unwrap(),
        bindings: management.list("bindings", vhost.name()).await.unwrap(),
    };
    Plan::new(&declared(), &[], &found)
}

async fn wait_until_in_line(vhost: &Vhost) {
    wait_for("the broker is in line", TIMEOUT, async || {
        let plan = plan(vhost).await;
        if plan.is_in_line() { Ok(()) } else { Err(plan.to_string()) }
    })
    .await
    .unwrap();
}

/// Deletes all queues and exchanges of a running suite, twice.
#[tokio::test]
async fn a_suite_on_a_wiped_broker_continues() {
    let shop = Shop::start().await.unwrap();
    let Servers::Shared { vhost, .. } = &shop.servers else {
        return assert!(shop.folder().exists(), "the suite has private servers");
    };
    wait_until_in_line(vhost).await;
    shop.stocked_product("茶叶", "TEA-1", 5_000, 100).await.unwrap();
    for round in 1..=2 {
        shop.wait_for_clean_audit(HEALED).await.unwrap();
        for objects in ["queues", "exchanges"] {
            let found: Vec<serde_json::Value> =
                vhost.management().list(objects, vhost.name()).await.unwrap();
            for name in found.iter().filter_map(|object| object["name"].as_str()) {
                if !name.is_empty() && !name.starts_with("amq.") {
                    vhost.management().delete_object(objects, vhost.name(), name).await.unwrap();
                }
            }
        }
        let buyer = Uuid::now_v7().to_string();
        let placed = shop.order(&buyer, "TEA-1", 1, None).await.unwrap();
        let id = placed.expect_status(202).unwrap().text("/id");
        shop.wait_for_order_within(HEALED, &id, &["delivered"]).await.unwrap();
        assert_eq!(shop.stock_of("TEA-1").await.unwrap(), (100 - round, 0, 100 - round));
        wait_until_in_line(vhost).await;
    }
    shop.wait_for_clean_audit(HEALED).await.unwrap();
    shop.stop().await.unwrap();
}
