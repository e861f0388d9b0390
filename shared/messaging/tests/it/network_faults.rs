//! All kinds of network faults between two services and the broker. Like Jepsen's tests of RabbitMQ, they compare the published events
//! with the effects: none is lost, duplicated or invented. Also connections that fall silent without an error.

use std::time::Duration;

use messaging::OnReject;
use testkit::{Direction, Proxy};
use tokio::time::{Instant, sleep};

use crate::harness::Harness;

#[derive(Debug, Clone, Copy)]
enum Fault {
    Reset,
    Refused,
    Blackhole(Direction),
    Delay(Duration),
    /// Bytes per second.
    Throttle(u32),
}

use Fault::{Blackhole, Delay, Refused, Reset, Throttle};

/// Each fault alone, in two strengths, and in combinations.
const SCENARIOS: [&[Fault]; 14] = [
    &[Reset],
    &[Refused, Reset],
    &[Blackhole(Direction::ToServer)],
    &[Blackhole(Direction::ToClient)],
    &[Blackhole(Direction::ToServer), Blackhole(Direction::ToClient)],
    &[Delay(Duration::from_millis(20))],
    &[Delay(Duration::from_millis(200))],
    &[Throttle(64 * 1024)],
    &[Throttle(4 * 1024)],
    &[Delay(Duration::from_millis(200)), Reset],
    &[Throttle(16 * 1024), Reset],
    &[Delay(Duration::from_millis(50)), Throttle(32 * 1024)],
    &[Delay(Duration::from_millis(100)), Blackhole(Direction::ToClient)],
    &[Throttle(8 * 1024), Blackhole(Direction::ToServer)],
];

const WALKS: usize = 20;

/// How long each fault lasts, and how long the network is good in between. Jepsen uses `WAY_SECONDS=180`.
fn fault_duration() -> Duration {
    let seconds = std::env::var("WAY_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(0.5))
}

#[tokio::test]
async fn network_faults_lose_duplicate_and_reorder_nothing() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::in_front_of(harness.vhost.url()).await.unwrap();
    let (publisher, consumer) = (harness.start_publisher_at(&url), harness.start_consumer_at(&url));
    let walks: Vec<String> = (0..WALKS).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    let fault_duration = fault_duration();
    let mut last = 0;
    for faults in SCENARIOS {
        let began = Instant::now();
        for fault in faults {
            inject(&proxy, *fault).await;
        }
        let mut is_faulty = true;
        while began.elapsed() < fault_duration * 2 {
            if is_faulty && began.elapsed() > fault_duration {
                is_faulty = false;
                // Connections that lost data are unusable.
                proxy.cut();
                proxy.heal().await;
            }
            last += 1;
            harness.publish_steps(&names, last..=last).await;
            sleep(Duration::from_millis(2)).await;
        }
    }
    let published = last * i64::try_from(WALKS).unwrap();
    harness.wait_for_total(published).await;
    harness.assert_effects(&walks, last).await;
    harness.assert_drained().await;
    println!(
        "{} scenarios, {published} events published and applied, 0 lost, 0 duplicated",
        SCENARIOS.len()
    );
    publisher.shut_down().await;
    consumer.shut_down().await;
}

async fn inject(proxy: &Proxy, fault: Fault) {
    match fault {
        Reset => proxy.cut(),
        Refused => proxy.refuse().await,
        Blackhole(direction) => proxy.blackhole(direction),
        Delay(by) => proxy.delay(by),
        Throttle(bytes_per_second) => proxy.throttle(Some(bytes_per_second)),
    }
}

/// Silences the connections through `proxy`, once while idle and once right after a step, and waits until the next step takes effect.
/// Consumer and broker notice missing heartbeats after four to seven seconds; the relay waits ten seconds for confirms.
async fn silence_connections(harness: &Harness, proxy: &Proxy, service: &str) {
    harness.publish_steps(&["w"], 1..=1).await;
    harness.wait_for_effects("w", &[1]).await;
    harness.assert_drained().await;
    for (first, is_busy) in [(1, false), (2, true)] {
        if is_busy {
            harness.publish_steps(&["w"], first + 1..=first + 1).await;
        }
        proxy.blackhole_existing();
        let (began, last) = (Instant::now(), first + 1 + i64::from(is_busy));
        harness.publish_steps(&["w"], last..=last).await;
        // The silenced connections never recover, so the effect proves a new connection.
        harness.wait_for_effects("w", &(1..=last).collect::<Vec<_>>()).await;
        println!("{service}, busy: {is_busy}: recovered after {:?}", began.elapsed());
    }
    harness.assert_drained().await;
}

#[tokio::test]
async fn a_consumer_replaces_a_silent_connection() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::in_front_of(harness.vhost.url()).await.unwrap();
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer_at(&url));
    silence_connections(&harness, &proxy, "the consumer").await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_relay_replaces_a_silent_connection() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::in_front_of(harness.vhost.url()).await.unwrap();
    let (publisher, consumer) = (harness.start_publisher_at(&url), harness.start_consumer());
    silence_connections(&harness, &proxy, "the relay").await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
