//! The topology on the broker: it heals, what differs is named, and what is unused is removed.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use envelope::Slot;
use lapin::{
    Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
        ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use messaging::{
    DEFAULT_SLOT_GROUPS, ObjectKind, OnReject,
    declarations::BindingDeclaration,
    topology_plan::{self, BrokerState, Change, Missing, Plan, PruneOptions, Unused},
};
use testkit::{Vhost, wait_for};

use crate::harness::{Harness, Running, TIMEOUT, count};

/// How long it takes until lost messages have been noticed and sent again.
const HEALED: Duration = Duration::from_mins(2);

/// One walk per slot.
pub(crate) fn walks() -> Vec<String> {
    let mut by_slot: Vec<Option<String>> = vec![None; 16];
    for number in 0.. {
        let name = format!("walk-{number}");
        by_slot[usize::from(Slot::of(&name).number())].get_or_insert(name);
        if by_slot.iter().all(Option::is_some) {
            break;
        }
    }
    by_slot.into_iter().flatten().collect()
}

fn names(walks: &[String]) -> Vec<&str> {
    walks.iter().map(String::as_str).collect()
}

fn is_of_first_queue(walk: &str) -> bool {
    Slot::of(walk).number().is_multiple_of(DEFAULT_SLOT_GROUPS)
}

pub(crate) async fn state(vhost: &Vhost) -> BrokerState {
    let management = vhost.management();
    BrokerState {
        exchanges: management.list("exchanges", vhost.name()).await.unwrap(),
        queues: management.list("queues", vhost.name()).await.unwrap(),
        bindings: management.list("bindings", vhost.name()).await.unwrap(),
    }
}

async fn plan(harness: &Harness) -> Plan {
    plan_without(harness, &[]).await
}

/// The plan after these services were removed.
async fn plan_without(harness: &Harness, removed: &[String]) -> Plan {
    let topologies = [Harness::publisher_topology(), harness.consumer_topology()];
    let services = topologies.map(|topology| topology.declarations());
    Plan::new(&services, removed, &state(&harness.vhost).await)
}

/// Deletes all queues and exchanges.
async fn wipe(vhost: &Vhost) {
    let BrokerState { exchanges, queues, .. } = state(vhost).await;
    let management = vhost.management();
    for queue in queues {
        management.delete_object("queues", vhost.name(), &queue.name).await.unwrap();
    }
    for exchange in exchanges.iter().map(|exchange| exchange.name.as_str()) {
        if !exchange.is_empty() && !exchange.starts_with("amq.") {
            management.delete_object("exchanges", vhost.name(), exchange).await.unwrap();
        }
    }
}

async fn channel(vhost: &Vhost) -> (Connection, Channel) {
    let connection =
        Connection::connect(vhost.url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

async fn declare_queue(channel: &Channel, name: &str, arguments: &[(&str, AMQPValue)]) {
    let mut table = FieldTable::default();
    for (argument, value) in arguments {
        table.insert((*argument).into(), value.clone());
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.into(), options, table).await.unwrap();
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// The arguments of a queue for events.
fn consumer_queue() -> Vec<(&'static str, AMQPValue)> {
    vec![
        ("x-queue-type", text("quorum")),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("consumer.dead")),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
        ("x-single-active-consumer", AMQPValue::Boolean(true)),
        ("x-delivery-limit", AMQPValue::LongLongInt(20)),
    ]
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, routing_key: &str) {
    let options = QueueBindOptions::default();
    let arguments = FieldTable::default();
    channel
        .queue_bind(queue.into(), exchange.into(), routing_key.into(), options, arguments)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_wiped_broker_heals_and_loses_no_event_of_the_outbox() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let walks = walks();
    harness.publish_steps(&names(&walks), 1..=3).await;
    harness.wait_for_total(48).await;
    harness.assert_drained().await;
    wipe(&harness.vhost).await;
    for number in 4..=9 {
        harness.publish_steps(&names(&walks), number..=number).await;
    }
    // Some of them were published before the consumer had bound its queues.
    harness.wait_for_total(16 * 9).await;
    harness.assert_drained().await;
    harness.assert_effects(&walks, 9).await;
    wait_for("the broker is in line", TIMEOUT, async || {
        let plan = plan(&harness).await;
        if plan.is_in_line() { Ok(()) } else { Err(plan.to_string()) }
    })
    .await
    .unwrap();
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// Messages that were in the queues are gone. The consumer asks for them.
#[tokio::test]
async fn a_broker_wiped_under_load_loses_no_event() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let (walks, over) = (walks(), AtomicBool::new(false));
    let two = names(&walks[..2]);
    let publishing = harness.publish_steps_until(&over, Duration::from_millis(5), &two);
    let wiping = async {
        for _ in 0..3 {
            harness.wait_for_total(20).await;
            wipe(&harness.vhost).await;
            wait_for("the topology is back", TIMEOUT, async || {
                let missing = plan(&harness).await.missing;
                if missing == Missing::default() { Ok(()) } else { Err(format!("{missing:?}")) }
            })
            .await
            .unwrap();
        }
        over.store(true, Ordering::Relaxed);
    };
    let (last, ()) = tokio::join!(publishing, wiping);
    let expected: Vec<i64> = (1..=last).collect();
    for walk in &walks[..2] {
        wait_for("each event took effect", HEALED, async || {
            let effects = harness.effects(walk).await;
            if effects == expected {
                Ok(())
            } else {
                Err(format!("{} of {last} took effect", effects.len()))
            }
        })
        .await
        .unwrap();
    }
    harness.vhost.wait_until_drained(HEALED).await.unwrap();
    assert_eq!(count(harness.consumer.pool(), "messaging.parked").await, 0);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// The publisher declares its exchange again, but not the bindings of its subscribers. They are not notified.
#[tokio::test]
async fn a_deleted_exchange_gets_all_its_bindings_back() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let walks = walks();
    harness.publish_steps(&names(&walks), 1..=1).await;
    harness.wait_for_total(16).await;
    let (management, vhost) = (harness.vhost.management(), harness.vhost.name());
    management.delete_object("exchanges", vhost, "publisher").await.unwrap();
    harness.publish_steps(&names(&walks), 2..=2).await;
    harness.wait_until_published().await;
    wait_for("the bindings are back", TIMEOUT, async || {
        let missing = plan(&harness).await.missing;
        if missing == Missing::default() { Ok(()) } else { Err(format!("{missing:?}")) }
    })
    .await
    .unwrap();
    harness.publish_steps(&names(&walks), 3..=3).await;
    // What was published in between is published again.
    harness.wait_for_total(48).await;
    harness.assert_drained().await;
    harness.assert_effects(&walks, 3).await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

async fn wait_for_difference(running: &Running, expected: &[&str]) {
    wait_for("the difference is named", TIMEOUT, async || {
        let found: Vec<String> =
            running.status().differences.iter().map(ToString::to_string).collect();
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await
    .unwrap();
}

/// What an operator does: takes the messages out of the wrong queue, deletes it, and puts them into the one that the service declares.
#[expect(clippy::disallowed_methods, reason = "the messages are not new events")]
async fn move_to_declared_queue(harness: &Harness, admin: &Channel) {
    let (queue, mut taken) = ("consumer.walk.0", Vec::new());
    let options = BasicGetOptions { no_ack: true };
    while let Some(message) = admin.basic_get(queue.into(), options).await.unwrap() {
        taken.push(message.delivery);
    }
    let (management, vhost) = (harness.vhost.management(), harness.vhost.name());
    management.delete_object("queues", vhost, queue).await.unwrap();
    wait_for("the queue exists as declared", TIMEOUT, async || {
        let plan = plan(harness).await;
        if plan.is_in_line() { Ok(()) } else { Err(plan.to_string()) }
    })
    .await
    .unwrap();
    // A channel that has used the old queue would fail: RabbitMQ keeps what it knows of a queue by its name.
    let (connection, admin) = channel(&harness.vhost).await;
    admin.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for message in taken {
        let (options, properties) = (BasicPublishOptions::default(), message.properties);
        admin
            .basic_publish("".into(), queue.into(), options, &message.data, properties)
            .await
            .unwrap()
            .await
            .unwrap();
    }
    connection.close(200, "done".into()).await.unwrap();
}

#[tokio::test]
async fn a_queue_of_another_type_stops_only_its_own_events() {
    let vhost = Vhost::create().await.unwrap();
    let (connection, admin) = channel(&vhost).await;
    declare_queue(&admin, "consumer.walk.0", &[]).await;
    let harness = Harness::open_on(vhost, OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let (broken, healthy): (Vec<String>, Vec<String>) =
        walks().into_iter().partition(|walk| is_of_first_queue(walk));
    harness.publish_steps(&names(&[broken.clone(), healthy.clone()].concat()), 1..=3).await;
    for walk in &healthy {
        harness.wait_for_effects(walk, &[1, 2, 3]).await;
    }
    wait_for("the status names the queue, the wanted and the found type", TIMEOUT, async || {
        let status = consumer.status();
        let reason = status.failed_queues.get("consumer.walk.0").cloned().unwrap_or_default();
        let is_named = reason.contains("x-queue-type is classic, wanted is quorum");
        if is_named && status.failed_queues.len() == 1 && status.consumer_down.is_none() {
            Ok(())
        } else {
            Err(format!("{status:?}"))
        }
    })
    .await
    .unwrap();
    let different = plan(&harness).await.different;
    assert!(different.iter().any(|found| found.is_unusable && found.name == "consumer.walk.0"));
    for walk in &broken {
        assert_eq!(harness.effects(walk).await, [0; 0], "{walk}");
    }
    move_to_declared_queue(&harness, &admin).await;
    for walk in &broken {
        harness.wait_for_effects(walk, &[1, 2, 3]).await;
    }
    wait_for("the status is well", TIMEOUT, async || {
        let status = consumer.status();
        let is_well = status.failed_queues.is_empty() && status.differences.is_empty();
        if is_well { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await
    .unwrap();
    harness.assert_drained().await;
    connection.close(200, "done".into()).await.unwrap();
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_queue_with_other_arguments_is_used_and_named() {
    let vhost = Vhost::create().await.unwrap();
    let (connection, admin) = channel(&vhost).await;
    let limited = [("x-queue-type", text("quorum")), ("x-delivery-limit", AMQPValue::LongInt(5))];
    declare_queue(&admin, "consumer.walk.0", &limited).await;
    let harness = Harness::open_on(vhost, OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let walks = walks();
    harness.publish_steps(&names(&walks), 1..=3).await;
    harness.wait_for_total(48).await;
    let expected = [
        "queue consumer.walk.0: x-dead-letter-exchange is none, wanted is consumer",
        "queue consumer.walk.0: x-dead-letter-routing-key is none, wanted is consumer.dead",
        "queue consumer.walk.0: x-dead-letter-strategy is none, wanted is at-least-once",
        "queue consumer.walk.0: x-delivery-limit is 5, wanted is 20",
        "queue consumer.walk.0: x-overflow is none, wanted is reject-publish",
        "queue consumer.walk.0: x-single-active-consumer is none, wanted is true",
    ];
    wait_for_difference(&consumer, &expected).await;
    assert_eq!(consumer.status().failed_queues.len(), 0);
    // The service, which asks over AMQP, and the plan, which asks the management API, find the same.
    let different = plan(&harness).await.different;
    assert_eq!(different, consumer.status().differences);
    harness.assert_drained().await;
    connection.close(200, "done".into()).await.unwrap();
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn an_exchange_of_another_type_stops_its_publisher_alone() {
    let vhost = Vhost::create().await.unwrap();
    let (connection, admin) = channel(&vhost).await;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let none = FieldTable::default();
    admin.exchange_declare("publisher".into(), ExchangeKind::Fanout, options, none).await.unwrap();
    let harness = Harness::open_on(vhost, OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let walks = walks();
    harness.publish_steps(&names(&walks), 1..=2).await;
    wait_for("the publisher names the exchange", TIMEOUT, async || {
        let reason = publisher.status().publisher_down.unwrap_or_default();
        let is_named = reason.contains("exchange publisher: type is fanout, wanted is topic");
        if is_named { Ok(()) } else { Err(reason) }
    })
    .await
    .unwrap();
    wait_for("the consumer works and names the exchange, too", TIMEOUT, async || {
        let status = consumer.status();
        let is_named = status.differences.iter().any(|found| found.kind == ObjectKind::Exchange);
        if is_named && status.consumer_down.is_none() { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await
    .unwrap();
    let unusable = plan(&harness).await;
    let changes = topology_plan::apply(harness.vhost.url(), &unusable).await.unwrap();
    assert!(changes.iter().all(|change| matches!(change, Change::NotBound(_))), "{changes:?}");
    // All slots, what is sent to one queue alone, and dead letters.
    assert_eq!(changes.len(), 16 + 2 + 1);
    let options = ExchangeDeleteOptions::default();
    admin.exchange_delete("publisher".into(), options).await.unwrap();
    harness.wait_for_total(32).await;
    harness.assert_drained().await;
    harness.assert_effects(&walks, 2).await;
    connection.close(200, "done".into()).await.unwrap();
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_plan_is_empty_after_it_was_applied() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let in_line = plan(&harness).await;
    assert!(in_line.is_in_line(), "{in_line}");
    wipe(&harness.vhost).await;
    let wiped = plan(&harness).await;
    let Plan { missing, different, unused, unrouted } = &wiped;
    assert_eq!(missing.exchanges.len(), 6);
    // Two for events, two dead queues, two for unroutable events, two for requests; with the bindings.
    assert_eq!((missing.queues.len(), missing.bindings.len()), (8, 16 + 2 + 2 * 3));
    assert_eq!((different.len(), unused, unrouted.len()), (0, &Unused::default(), 0));
    let changes = topology_plan::apply(harness.vhost.url(), &wiped).await.unwrap();
    assert_eq!(changes.len(), 6 + 8 + 24);
    let applied = plan(&harness).await;
    assert!(applied.is_in_line(), "{applied}");
    assert_eq!(topology_plan::apply(harness.vhost.url(), &applied).await.unwrap(), []);
}

fn binding(exchange: &str, queue: &str, routing_key: &str) -> BindingDeclaration {
    let (exchange, queue) = (exchange.to_owned(), queue.to_owned());
    BindingDeclaration { exchange, queue, routing_key: routing_key.to_owned() }
}

async fn prune(harness: &Harness, options: &PruneOptions) -> Vec<String> {
    let changes =
        topology_plan::prune(harness.vhost.url(), &plan(harness).await, options).await.unwrap();
    changes.iter().map(ToString::to_string).collect()
}

async fn exists(harness: &Harness, queue: &str) -> bool {
    state(&harness.vhost).await.queues.iter().any(|found| found.name == queue)
}

/// Publishes one event that reaches all queues of its slot, also unused ones.
async fn fill(harness: &Harness, walk: &str, number: i64) {
    harness.publish_steps(&[walk], number..=number).await;
    harness.wait_until_published().await;
}

#[tokio::test]
async fn unused_queues_go_and_messages_and_foreign_objects_stay() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let publisher = harness.start_publisher();
    let (connection, admin) = channel(&harness.vhost).await;
    let walk = walks().remove(3);
    // A subscription that the consumer no longer has; one of its queues is still consumed by an old instance.
    for queue in ["consumer.visit.0", "consumer.visit.1", "consumer.visit.2"] {
        declare_queue(&admin, queue, &consumer_queue()).await;
        bind(&admin, queue, "publisher", "walk.3").await;
    }
    let consuming = BasicConsumeOptions::default();
    let none = FieldTable::default;
    let (old_instance, old) = channel(&harness.vhost).await;
    let consumer =
        old.basic_consume("consumer.visit.2".into(), "old".into(), consuming, none()).await;
    // A binding that a queue in use no longer needs.
    bind(&admin, "consumer.walk.0", "publisher", "visit.3").await;
    // Objects of others: a name of ours that no service declared, and a queue of theirs on our exchange.
    declare_queue(&admin, "consumer.export.0", &[("x-queue-type", text("quorum"))]).await;
    bind(&admin, "consumer.export.0", "publisher", "walk.3").await;
    declare_queue(&admin, "reports", &[]).await;
    bind(&admin, "reports", "publisher", "#").await;
    fill(&harness, &walk, 1).await;

    let unused = plan(&harness).await.unused;
    let queues: Vec<&str> = unused.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(queues, ["consumer.visit.0", "consumer.visit.1", "consumer.visit.2"]);
    assert_eq!(
        unused.bindings,
        [
            binding("publisher", "consumer.visit.0", "walk.3"),
            binding("publisher", "consumer.visit.1", "walk.3"),
            binding("publisher", "consumer.visit.2", "walk.3"),
            binding("publisher", "consumer.walk.0", "visit.3"),
        ]
    );
    assert_eq!(
        prune(&harness, &PruneOptions::default()).await,
        [
            "kept the queue consumer.visit.2: it has 1 consumers",
            "unbound publisher → consumer.visit.0 (walk.3)",
            "unbound publisher → consumer.visit.1 (walk.3)",
            "unbound publisher → consumer.walk.0 (visit.3)",
            "kept the queue consumer.visit.0: it has 1 messages",
            "kept the queue consumer.visit.1: it has 1 messages",
        ]
    );
    // Nothing arrives in them any more.
    fill(&harness, &walk, 2).await;
    let named = PruneOptions { names: vec!["consumer.visit.0".to_owned()], with_messages: false };
    assert_eq!(
        prune(&harness, &named).await,
        ["deleted the queue consumer.visit.0 with 1 messages"]
    );
    assert!(exists(&harness, "consumer.visit.1").await);
    old_instance.close(200, "done".into()).await.unwrap();
    drop((old, consumer));
    let all = PruneOptions { names: Vec::new(), with_messages: true };
    let pruned = prune(&harness, &all).await;
    assert_eq!(pruned.len(), 3, "{pruned:?}");
    assert_eq!(plan(&harness).await.unused, Unused::default());
    for foreign in ["consumer.export.0", "reports"] {
        assert!(exists(&harness, foreign).await, "{foreign}");
    }
    let bindings = state(&harness.vhost).await.bindings;
    for foreign in ["consumer.export.0", "reports"] {
        let is_bound = bindings
            .iter()
            .any(|found| found.destination == foreign && found.source == "publisher");
        assert!(is_bound, "{foreign}");
    }
    connection.close(200, "done".into()).await.unwrap();
    publisher.shut_down().await;
}

#[tokio::test]
async fn objects_of_a_removed_service_go_when_it_is_named() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let declared = |topology: messaging::Topology| topology.declarations();
    let services = [declared(Harness::publisher_topology())];
    let state = state(&harness.vhost).await;
    // Without its name, the objects of the consumer are those of a stranger.
    assert!(Plan::new(&services, &[], &state).is_in_line());
    let without = Plan::new(&services, &["consumer".to_owned()], &state);
    assert_eq!(without.unused.exchanges, ["consumer", "consumer.requests", "consumer.unrouted"]);
    let stranger = ["consumer.walk.0".to_owned(), "publisher.dead".to_owned()];
    assert_eq!(without.not_unused(&stranger), ["publisher.dead"]);
    let options = PruneOptions::default();
    topology_plan::prune(harness.vhost.url(), &without, &options).await.unwrap();
    let after = plan_without(&harness, &[]).await.missing;
    assert_eq!((after.exchanges.len(), after.queues.len()), (3, 5));
    assert!(after.queues.iter().all(|queue| queue.name.starts_with("consumer.")), "{after:?}");
}

/// A publisher that starts first: its events wait for the first subscriber.
#[tokio::test]
async fn events_without_a_subscriber_reach_the_first_one() {
    let harness = Harness::open(OnReject::BlockKey).await;
    wipe(&harness.vhost).await;
    let publisher = harness.start_publisher();
    let walks = walks();
    harness.publish_steps(&names(&walks), 1..=40).await;
    harness.wait_until_published().await;
    let state = async || state(&harness.vhost).await;
    let declared = [Harness::publisher_topology().declarations()];
    wait_for("the plan names the events without a binding", TIMEOUT, async || {
        let Plan { unrouted, missing, .. } = Plan::new(&declared, &[], &state().await);
        let is_named = unrouted.len() == 1 && missing == Missing::default();
        if is_named { Ok(()) } else { Err(format!("{unrouted:?} {missing:?}")) }
    })
    .await
    .unwrap();
    let unrouted = Plan::new(&declared, &[], &state().await);
    let republish = async || {
        let url = harness.vhost.url();
        topology_plan::republish_unrouted(url, &unrouted).await.unwrap().remove(0)
    };
    // They come back, and it ends.
    let Change::Republished { messages, unrouted: left, .. } = republish().await else {
        return assert!(harness.publisher.pool().is_closed(), "something else was changed");
    };
    assert!(messages > 0 && left >= messages, "{messages} {left}");
    let consumer = harness.start_consumer();
    wait_for("the first subscriber has all of them", TIMEOUT, async || {
        republish().await;
        let effects = harness.effects(&walks[0]).await;
        if effects.len() == 40 { Ok(()) } else { Err(format!("{effects:?}")) }
    })
    .await
    .unwrap();
    harness.wait_for_total(16 * 40).await;
    harness.assert_drained().await;
    harness.assert_effects(&walks, 40).await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
