//! The way to the broker is bad in every way that a network knows, while two processes speak and listen (R4). The books are kept
//! as Jepsen keeps them for RabbitMQ: what was said, what took effect, what is lost, what is doubled, what nobody said. And
//! connections fall silent for ever, which nobody tells who waits on them.

use std::time::Duration;

use messaging::OnReject;
use testkit::{Direction, Proxy};
use tokio::time::{Instant, sleep};

use crate::shop::Shop;

/// How the way is bad.
#[derive(Debug, Clone, Copy)]
enum Ill {
    Reset,
    Refused,
    Swallowed(Direction),
    Late(Duration),
    Narrow(u32),
}

use Ill::{Late, Narrow, Refused, Reset, Swallowed};

/// Fourteen ways of being bad: each ill alone, worse, and together with others.
const ILLS: [&[Ill]; 14] = [
    &[Reset],
    &[Refused, Reset],
    &[Swallowed(Direction::ToServer)],
    &[Swallowed(Direction::ToClient)],
    &[Swallowed(Direction::ToServer), Swallowed(Direction::ToClient)],
    &[Late(Duration::from_millis(20))],
    &[Late(Duration::from_millis(200))],
    &[Narrow(64 * 1024)],
    &[Narrow(4 * 1024)],
    &[Late(Duration::from_millis(200)), Reset],
    &[Narrow(16 * 1024), Reset],
    &[Late(Duration::from_millis(50)), Narrow(32 * 1024)],
    &[Late(Duration::from_millis(100)), Swallowed(Direction::ToClient)],
    &[Narrow(8 * 1024), Swallowed(Direction::ToServer)],
];

/// How many keys are said something of at once.
const WALKS: usize = 20;

/// How long each way stays bad, and how long it is good in between. `WAY_SECONDS=180` is what Jepsen takes.
fn spell() -> Duration {
    let seconds = std::env::var("WAY_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(0.5))
}

#[tokio::test]
async fn no_bad_way_loses_doubles_or_reorders_anything() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (way, url) = Proxy::before(shop.vhost.url()).await.unwrap();
    let (speaker, listener) = (shop.start_speaker_at(&url), shop.start_listener_at(&url));
    let walks: Vec<String> = (0..WALKS).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    let spell = spell();
    let mut last = 0;
    for ills in ILLS {
        let began = Instant::now();
        for ill in ills {
            fall_ill(&way, *ill).await;
        }
        let mut is_ill = true;
        while began.elapsed() < spell * 2 {
            if is_ill && began.elapsed() > spell {
                is_ill = false;
                // What was swallowed is lost, and with it the connections.
                way.cut();
                way.heal().await;
            }
            last += 1;
            shop.walk(&names, last..=last).await;
            sleep(Duration::from_millis(2)).await;
        }
    }
    let said = last * i64::try_from(WALKS).unwrap();
    shop.wait_for_total(said).await;
    shop.assert_walked(&walks, last).await;
    shop.assert_at_rest().await;
    println!("{} bad ways, {said} events said, {said} took effect, 0 lost, 0 doubled", ILLS.len());
    speaker.shut_down().await;
    listener.shut_down().await;
}

async fn fall_ill(way: &Proxy, ill: Ill) {
    match ill {
        Reset => way.cut(),
        Refused => way.refuse().await,
        Swallowed(direction) => way.blackhole(direction),
        Late(by) => way.delay(by),
        Narrow(bytes_per_second) => way.throttle(Some(bytes_per_second)),
    }
}

/// Lets the connections through `way` fall silent for ever, when nothing is under way and right behind a step, and waits until the
/// next step has its effect: within [`SOON`](crate::shop::SOON). Where nothing else runs a consumer misses the broker's heartbeats,
/// and the broker the consumer's, after four to seven seconds, and the relay waits ten for its confirms.
async fn fall_silent(shop: &Shop, way: &Proxy, who: &str) {
    shop.walk(&["w"], 1..=1).await;
    shop.wait_for_effects("w", &[1]).await;
    shop.assert_at_rest().await;
    for (said, is_at_work) in [(1, false), (2, true)] {
        if is_at_work {
            shop.walk(&["w"], said + 1..=said + 1).await;
        }
        way.blackhole_existing();
        let (began, last) = (Instant::now(), said + 1 + i64::from(is_at_work));
        shop.walk(&["w"], last..=last).await;
        // What fell silent never says anything again: only a new connection can be at work here.
        shop.wait_for_effects("w", &(1..=last).collect::<Vec<_>>()).await;
        println!("{who}, at work: {is_at_work}: effects again after {:?}", began.elapsed());
    }
    shop.assert_at_rest().await;
}

#[tokio::test]
async fn a_listener_whose_connection_falls_silent_makes_a_new_one() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (way, url) = Proxy::before(shop.vhost.url()).await.unwrap();
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener_at(&url));
    fall_silent(&shop, &way, "the listener").await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_relay_whose_connection_falls_silent_makes_a_new_one() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (way, url) = Proxy::before(shop.vhost.url()).await.unwrap();
    let (speaker, listener) = (shop.start_speaker_at(&url), shop.start_listener());
    fall_silent(&shop, &way, "the relay").await;
    speaker.shut_down().await;
    listener.shut_down().await;
}
