//! Strikes, heals, and looks how long it takes until anything has an effect again.

use std::time::Duration;

use futures::future::try_join_all;
use sqlx::{Connection as _, PgConnection};
use system_tests::{SERVICES, Servers, Shop};
use testkit::{Direction, wait_for};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::plan::{Fault, Whom};
use crate::failure::Failure;

/// Longer than any lease lasts.
const LONGER_THAN_A_LEASE: Duration = Duration::from_secs(4);

/// How long the way to the broker is bad.
const BAD_WAY: Duration = Duration::from_secs(3);

/// How much later everything comes on a slow way.
const DELAY: Duration = Duration::from_millis(150);

/// How long the alarm is raised.
const ALARM: Duration = Duration::from_secs(3);

/// How old RabbitMQ's queues are before it is killed; younger ones lose what was confirmed in 3.10.
const OLD_ENOUGH: Duration = Duration::from_secs(45);

/// How long it may take until there is an effect again, before it counts as never.
const NEVER: Duration = Duration::from_mins(1);

/// How long it took until a service had an effect again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Recovery {
    pub(super) took: Duration,
    pub(super) service: &'static str,
}

/// Lets `fault` happen and pass: how long it took from then until an effect was committed again by each service that it hit
/// with all its instances. Where another instance carried on there is nothing to wait for.
pub(super) async fn strike(
    shop: &mut Shop,
    fault: Fault,
    born: Instant,
) -> Result<Vec<Recovery>, Failure> {
    let mut hit: Vec<&'static str> = SERVICES.to_vec();
    match fault {
        Fault::Kill(service, whom) => {
            hit = if whom == Whom::Both { vec![service] } else { Vec::new() };
            let instances = whom.of(service);
            for instance in &instances {
                shop.kill(instance).await?;
            }
            for instance in &instances {
                shop.launch(instance)?;
            }
            for instance in &instances {
                wait_until_it_listens(shop, instance).await?;
            }
        }
        Fault::Stop(service, whom) => {
            hit = if whom == Whom::Both { vec![service] } else { Vec::new() };
            let instances = whom.of(service);
            for instance in &instances {
                shop.pause(instance)?;
            }
            sleep(LONGER_THAN_A_LEASE).await;
            for instance in &instances {
                shop.resume(instance)?;
            }
        }
        Fault::Cut => way(shop)?.cut(),
        Fault::Swallow | Fault::Deafen => {
            let direction =
                if fault == Fault::Swallow { Direction::ToServer } else { Direction::ToClient };
            let way = way(shop)?;
            way.swallow(direction);
            sleep(BAD_WAY).await;
            // What was swallowed is lost, so the connections are of no use any more.
            way.cut();
            way.heal().await;
        }
        Fault::Slow => {
            let way = way(shop)?;
            way.delay(DELAY);
            sleep(BAD_WAY).await;
            way.heal().await;
        }
        Fault::Alarm => {
            alarm(shop, true).await?;
            sleep(ALARM).await;
            alarm(shop, false).await?;
        }
        Fault::Fill => {
            alarm(shop, true).await?;
            wait_until_orders_are_refused(shop).await?;
            alarm(shop, false).await?;
        }
        Fault::KillPostgres => {
            let Servers::Own { postgres, .. } = &mut shop.servers else { return Err(not_own()) };
            postgres.kill().await?;
            postgres.restart().await?;
        }
        Fault::KillRabbitMq => {
            sleep(OLD_ENOUGH.saturating_sub(born.elapsed())).await;
            let Servers::Own { rabbitmq, .. } = &mut shop.servers else { return Err(not_own()) };
            rabbitmq.kill().await?;
            rabbitmq.restart().await?;
        }
    }
    let healed = Instant::now();
    let shop = &*shop;
    try_join_all(hit.into_iter().map(async |service| {
        wait_for_an_effect(shop, service).await?;
        Ok(Recovery { took: healed.elapsed(), service })
    }))
    .await
}

/// Waits until `service` has committed one more effect than it has now.
async fn wait_for_an_effect(shop: &Shop, service: &str) -> Result<(), Failure> {
    let before =
        wait_for("the effects can be counted", NEVER, async || effects(shop, service).await)
            .await?;
    wait_for(&format!("{service} has an effect again"), NEVER, async || {
        match effects(shop, service).await {
            Ok(now) if now > before => Ok(()),
            Ok(now) => Err(format!("{now} effects, as before")),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    Ok(())
}

/// Lets the broker raise its memory alarm, or end it.
async fn alarm(shop: &Shop, raised: bool) -> Result<(), Failure> {
    let Servers::Own { rabbitmq, .. } = &shop.servers else { return Err(not_own()) };
    Ok(rabbitmq.set_memory_alarm(raised).await?)
}

/// Waits until the outbox of the order service is full, as the people at work fill it: then it refuses orders before it looks
/// at them, and this one is none.
async fn wait_until_orders_are_refused(shop: &Shop) -> Result<(), Failure> {
    wait_for("the outbox is full", NEVER, async || {
        match shop.order("no customer", "", 0, Some(&Uuid::now_v7().to_string())).await {
            Ok(answer) if answer.text("/code") == "outbox_full" => Ok(()),
            Ok(answer) => Err(answer.body.to_string()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    Ok(())
}

/// The way between the services and the broker.
fn way(shop: &Shop) -> Result<&testkit::Proxy, Failure> {
    match &shop.servers {
        Servers::Own { way, .. } => Ok(way),
        Servers::Shared { .. } => Err(not_own()),
    }
}

fn not_own() -> Failure {
    Failure::Unsound("chaos needs servers of its own".to_owned())
}

async fn wait_until_it_listens(shop: &Shop, service: &str) -> Result<(), Failure> {
    wait_for(&format!("{service} listens"), NEVER, async || {
        shop.get(service, "/health/live").await.map(drop)
    })
    .await?;
    Ok(())
}

/// How many events have had their effect in a service: the sum of its cursors.
async fn effects(shop: &Shop, service: &str) -> Result<i64, sqlx::Error> {
    let mut connection = PgConnection::connect(shop.databases().url(service)).await?;
    let effects = sqlx::query_scalar("select coalesce(sum(last), 0)::bigint from messaging.cursor")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(effects)
}
