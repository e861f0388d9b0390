//! What differs on the broker is a component of the health.

use messaging::{MessagingRuntime, OnReject, Outbox, Subscription, Topology};
use runtime::{
    Lifecycle,
    health::{Health, Status},
    messaging::start,
};
use testkit::{Database, Vhost, wait_for};

use crate::DEADLINE;

#[tokio::test]
async fn health_names_what_differs_and_since_when() {
    let database = Database::migrated(&[&messaging::MIGRATOR]).await.unwrap();
    let vhost = Vhost::create().await.unwrap();
    // A stream with the name of the dead queue: the consumers work without it.
    messaging::streams::declare(vhost.url(), "tally.dead").await.unwrap();
    let lifecycle = Lifecycle::new(DEADLINE);
    let _guard = lifecycle.hard().drop_guard();
    let health = Health::new(&lifecycle);
    let topology = Topology::new("tally").subscribes(Subscription::to(
        "stock",
        ["publisher"],
        OnReject::Continue,
    ));
    let outbox = Outbox::new(database.connect().await.unwrap());
    start(&lifecycle, &health, &MessagingRuntime::new(outbox, vhost.url(), topology));
    let component = |name: &str| health.readiness().components[name].clone();
    let wait_for_difference = async || {
        wait_for("the difference is named", DEADLINE, async || {
            let status = component("topology");
            if let Status::Degraded { reason, since } = &status
                && reason.contains("x-queue-type is stream")
            {
                return Ok((reason.clone(), *since));
            }
            Err(format!("{status:?}"))
        })
        .await
        .unwrap()
    };
    let wait_until_up = async |name: &str| {
        wait_for(&format!("{name} is up"), DEADLINE, async || {
            let status = component(name);
            if status == Status::Up { Ok(()) } else { Err(format!("{status:?}")) }
        })
        .await
        .unwrap();
    };
    let (reason, since) = wait_for_difference().await;
    assert!(reason.contains("queue tally.dead") && reason.contains("wanted is quorum"), "{reason}");
    wait_until_up("events_in").await;
    assert!(health.is_ready());
    assert_eq!(wait_for_difference().await.1, since);
    vhost.management().delete_object("queues", vhost.name(), "tally.dead").await.unwrap();
    wait_until_up("topology").await;
}
