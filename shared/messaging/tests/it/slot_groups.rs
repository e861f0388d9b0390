//! The number of slot groups is raised and lowered while events flow.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use messaging::{
    OnReject,
    republish::Republisher,
    topology_plan::{self, Plan, PruneOptions},
};
use testkit::wait_for;
use tokio::sync::Semaphore;

use crate::{
    harness::{HandlerBehavior, Harness, Running, TIMEOUT, count, slot_groups, wait_for_count},
    replicas::{wait_for_progress, wait_for_queue_counts},
    republish::long_ago,
    topology::{state, walks},
};

/// The interval between steps; long enough for a busy machine.
const INTERVAL: Duration = Duration::from_millis(25);

fn names(walks: &[String]) -> Vec<&str> {
    walks.iter().map(String::as_str).collect()
}

async fn start(harness: &Harness, groups: u8) -> Running {
    harness.start_consumer_with(groups, harness.behavior.clone()).await
}

/// Compares the broker with what services with this number of slot groups declare.
async fn plan(harness: &Harness, groups: u8) -> Plan {
    let topologies = [Harness::publisher_topology(), harness.consumer_topology()];
    let services =
        topologies.map(|topology| topology.slot_groups(slot_groups(groups)).declarations());
    Plan::new(&services, &[], &state(&harness.vhost).await)
}

/// Declares what is missing, as an operator does before any replica has the setting.
async fn apply(harness: &Harness, groups: u8) {
    let plan = plan(harness, groups).await;
    topology_plan::apply(harness.vhost.url(), &plan).await.unwrap();
}

async fn prune(harness: &Harness, groups: u8) -> Vec<String> {
    let plan = plan(harness, groups).await;
    let changes =
        topology_plan::prune(harness.vhost.url(), &plan, &PruneOptions::default()).await.unwrap();
    changes.iter().map(ToString::to_string).collect()
}

/// The messages of each queue for walks.
async fn messages(harness: &Harness) -> BTreeMap<String, u64> {
    let queues = harness.vhost.queues().await.unwrap().into_iter();
    let walks = queues.filter(|queue| queue.name.starts_with("consumer.walk."));
    walks.map(|queue| (queue.name, queue.messages)).collect()
}

/// Asserts that all steps took effect once and in order, and that nothing was taken for lost.
async fn assert_complete(harness: &Harness, walks: &[String], last: i64) {
    harness.wait_for_total(i64::try_from(walks.len()).unwrap() * last).await;
    harness.assert_effects(walks, last).await;
    harness.assert_drained().await;
    let pool = harness.consumer.pool();
    assert_eq!(count(pool, "messaging.dead_letter").await, 0);
    let missing = "messaging.received_position where cardinality(missing_first) > 0";
    wait_for_count("no message is missing", pool, missing, 0).await;
}

#[tokio::test]
async fn groups_are_raised_under_load() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let walks = walks();
    let publisher = harness.start_publisher();
    let over = AtomicBool::new(false);
    let names = names(&walks);
    let write = harness.publish_steps_until(&over, INTERVAL, &names);
    let raise = async {
        let old = [start(&harness, 2).await, start(&harness, 2).await];
        wait_for_queue_counts(&harness, &[1, 1]).await;
        wait_for_progress(&harness, &names).await;
        let [first, second] = old;
        first.kill().await;
        let mut new = vec![start(&harness, 4).await];
        // Two settings side by side share all four queues.
        wait_for_queue_counts(&harness, &[2, 2]).await;
        wait_for_progress(&harness, &names).await;
        second.shut_down().await;
        new.push(start(&harness, 4).await);
        wait_for_queue_counts(&harness, &[2, 2]).await;
        // Eight slots have moved, and their old bindings go.
        let changes = prune(&harness, 4).await;
        assert_eq!(changes.len(), 8, "{changes:?}");
        assert!(changes.iter().all(|change| change.starts_with("unbound")), "{changes:?}");
        wait_for_progress(&harness, &names).await;
        over.store(true, Ordering::Relaxed);
        new
    };
    let (last, consumers) = tokio::join!(write, raise);
    assert_complete(&harness, &walks, last).await;
    let in_line = plan(&harness, 4).await;
    assert!(in_line.is_in_line(), "{in_line}");
    for running in consumers.into_iter().chain([publisher]) {
        running.shut_down().await;
    }
}

#[tokio::test]
async fn groups_are_lowered_under_load() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let walks = walks();
    let publisher = harness.start_publisher();
    let over = AtomicBool::new(false);
    let names = names(&walks);
    let write = harness.publish_steps_until(&over, INTERVAL, &names);
    let lower = async {
        let first = start(&harness, 4).await;
        wait_for_queue_counts(&harness, &[4]).await;
        prune(&harness, 4).await;
        wait_for_progress(&harness, &names).await;
        // Messages wait in all four queues.
        first.kill().await;
        tokio::time::sleep(INTERVAL * 10).await;
        let consumers = vec![start(&harness, 2).await, start(&harness, 2).await];
        wait_for_queue_counts(&harness, &[2, 2]).await;
        wait_for_progress(&harness, &names).await;
        let changes = prune(&harness, 2).await;
        let unbound = changes.iter().filter(|change| change.starts_with("unbound"));
        assert_eq!(unbound.count(), 10, "{changes:?}");
        wait_for("the former queues are deleted", TIMEOUT, async || {
            let kept = prune(&harness, 2).await;
            let is_gone = plan(&harness, 2).await.is_in_line();
            if is_gone { Ok(()) } else { Err(kept.join(", ")) }
        })
        .await
        .unwrap();
        wait_for_queue_counts(&harness, &[1, 1]).await;
        wait_for_progress(&harness, &names).await;
        over.store(true, Ordering::Relaxed);
        consumers
    };
    let (last, consumers) = tokio::join!(write, lower);
    assert_complete(&harness, &walks, last).await;
    assert_eq!(messages(&harness).await.len(), 2);
    assert_eq!(consumers[0].status().failed_queues, BTreeMap::new());
    for running in consumers.into_iter().chain([publisher]) {
        running.shut_down().await;
    }
}

#[tokio::test]
async fn as_many_replicas_as_groups_all_work() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let publisher = harness.start_publisher();
    let (walks, mut replicas) = (walks(), Vec::new());
    for _ in 0..4 {
        let behavior = Arc::new(HandlerBehavior::default());
        replicas.push((harness.start_consumer_with(4, behavior.clone()).await, behavior));
    }
    wait_for_queue_counts(&harness, &[1, 1, 1, 1]).await;
    // A queue may move once more when the last replica records its setting.
    let (over, names) = (AtomicBool::new(false), names(&walks));
    let write = harness.publish_steps_until(&over, INTERVAL, &names);
    let watch = async {
        wait_for("each replica has work", TIMEOUT, async || {
            let batches =
                replicas.iter().map(|(_, behavior)| behavior.at_gate.load(Ordering::SeqCst));
            let batches: Vec<u32> = batches.collect();
            if batches.iter().all(|number| *number > 0) {
                Ok(())
            } else {
                Err(format!("{batches:?}"))
            }
        })
        .await
        .unwrap();
        over.store(true, Ordering::Relaxed);
    };
    let (last, ()) = tokio::join!(write, watch);
    assert_complete(&harness, &walks, last).await;
    for (replica, _) in replicas {
        replica.shut_down().await;
    }
    publisher.shut_down().await;
}

/// A new queue begins behind the backlog of an old one.
#[tokio::test]
async fn a_backlog_is_not_parked_when_groups_are_raised() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, walks) = (harness.start_publisher(), walks());
    harness.publish_steps(&names(&walks), 1..=5).await;
    harness.wait_until_published().await;
    let behavior = HandlerBehavior { gate: Semaphore::new(0), ..HandlerBehavior::default() };
    let behavior = Arc::new(behavior);
    let consumer = harness.start_consumer_with(4, behavior.clone()).await;
    consumer.wait_for_queues().await;
    harness.publish_steps(&names(&walks), 6..=10).await;
    wait_for("both old queues are consumed", TIMEOUT, async || {
        let batches = behavior.at_gate.load(Ordering::SeqCst);
        if batches >= 2 { Ok(()) } else { Err(batches.to_string()) }
    })
    .await
    .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(count(harness.consumer.pool(), "messaging.parked").await, 0);
    behavior.gate.add_permits(Semaphore::MAX_PERMITS);
    assert_complete(&harness, &walks, 10).await;
    consumer.shut_down().await;
    publisher.shut_down().await;
}

#[tokio::test]
async fn lost_messages_come_back_to_the_queues_of_the_setting() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, walks) = (harness.start_publisher(), walks());
    // Without a queue `consumer.walk.1`, which the default has.
    let consumer = start(&harness, 1).await;
    wait_for_queue_counts(&harness, &[2]).await;
    prune(&harness, 1).await;
    harness.publish_steps(&names(&walks), 1..=2).await;
    harness.wait_for_total(32).await;
    consumer.shut_down().await;
    harness.publish_steps(&names(&walks), 3..=4).await;
    harness.wait_until_published().await;
    assert!(harness.delete_queues().await >= 16);
    // The next message shows what is missing.
    let consumer = start(&harness, 1).await;
    consumer.wait_for_queues().await;
    harness.publish_steps(&names(&walks), 5..=5).await;
    assert_complete(&harness, &walks, 5).await;
    consumer.shut_down().await;
    publisher.shut_down().await;
}

#[tokio::test]
async fn republished_messages_reach_the_queues_of_the_setting() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, walks) = (harness.start_publisher(), walks());
    apply(&harness, 4).await;
    prune(&harness, 4).await;
    harness.publish_steps(&names(&walks), 1..=2).await;
    harness.wait_until_published().await;
    // Without reminders of the last messages.
    publisher.shut_down().await;
    assert!(harness.delete_groups(4).await >= 16);
    apply(&harness, 4).await;
    let topology = Harness::publisher_topology().slot_groups(slot_groups(4));
    let republisher = Republisher::new(harness.publisher.clone(), harness.vhost.url(), &topology);
    Harness::republish_with(&republisher, long_ago()).await;
    wait_for("each queue has messages", TIMEOUT, async || {
        let messages = messages(&harness).await;
        let filled = messages.values().filter(|messages| **messages > 0).count();
        if filled == 4 { Ok(()) } else { Err(format!("{messages:?}")) }
    })
    .await
    .unwrap();
    let consumer = start(&harness, 4).await;
    assert_complete(&harness, &walks, 2).await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn prune_keeps_what_is_needed_when_groups_change() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, walks) = (harness.start_publisher(), walks());
    // Before any replica has the new setting.
    let changes = prune(&harness, 4).await;
    assert_eq!(changes.len(), 8, "{changes:?}");
    assert!(changes.iter().all(|change| change.starts_with("did not unbind")), "{changes:?}");
    apply(&harness, 4).await;
    harness.publish_steps(&names(&walks), 1..=1).await;
    harness.wait_until_published().await;
    // The setting is lowered again, and no replica has consumed the new queues.
    let changes = prune(&harness, 2).await;
    let kept: Vec<&String> = changes.iter().filter(|change| change.starts_with("kept")).collect();
    assert_eq!(
        kept,
        [
            "kept the queue consumer.walk.2: it has 4 messages",
            "kept the queue consumer.walk.3: it has 4 messages"
        ]
    );
    assert_eq!(changes.len(), 12, "{changes:?}");
    // A replica drains queues that it has never declared.
    let consumer = start(&harness, 2).await;
    assert_complete(&harness, &walks, 1).await;
    wait_for("the drained queues are deleted", TIMEOUT, async || {
        let kept = prune(&harness, 2).await;
        let is_gone = plan(&harness, 2).await.is_in_line();
        if is_gone { Ok(()) } else { Err(kept.join(", ")) }
    })
    .await
    .unwrap();
    consumer.shut_down().await;
    publisher.shut_down().await;
}
