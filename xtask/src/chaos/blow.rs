//! Strikes, heals, and looks how long it takes until anything has an effect again.

use std::{collections::HashMap, time::Duration};

use futures::future::try_join_all;
use sqlx::{Connection as _, PgConnection};
use system_tests::{SERVICES, Servers, Shop};
use testkit::{Direction, wait_for};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    load::Load,
    plan::{Fault, Ground, Whom},
};
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

/// How a fault was overcome.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    /// One instance was hit: how long it took from then until the other one had all queues.
    TakenOver(Duration),
    /// Everything was hit: how long it took, from when it had passed, until every service had committed an effect of each kind that
    /// it hears again and no queue was without a living instance; and which service was the last.
    Recovered { took: Duration, last: &'static str },
    /// All connections were dead and nobody was told: how long it took until this was noticed and everything had effects again, and
    /// which service was the last.
    Noticed { took: Duration, last: &'static str },
}

/// Lets `fault` happen and pass.
pub(super) async fn strike(
    shop: &mut Shop,
    load: &Load,
    fault: Fault,
    born: Instant,
) -> Result<Outcome, Failure> {
    match fault {
        Fault::Kill(service, whom) => {
            let instances = whom.of(service);
            for instance in &instances {
                shop.kill(instance).await?;
            }
            let taken_over = wait_for_takeover(shop, service, whom).await?;
            for instance in &instances {
                shop.launch(instance)?;
            }
            for instance in &instances {
                wait_until_it_listens(shop, instance).await?;
            }
            overcome(shop, service, taken_over).await
        }
        Fault::Stop(service, whom) => {
            let (instances, stopped) = (whom.of(service), Instant::now());
            for instance in &instances {
                shop.pause(instance)?;
            }
            let taken_over = wait_for_takeover(shop, service, whom).await?;
            sleep(LONGER_THAN_A_LEASE.saturating_sub(stopped.elapsed())).await;
            for instance in &instances {
                shop.resume(instance)?;
            }
            overcome(shop, service, taken_over).await
        }
        Fault::Ground(ground) => {
            shake(shop, load, ground, born).await?;
            let (took, last) = recovered(shop, &SERVICES).await?;
            let noticed = ground == Ground::Silence;
            Ok(if noticed {
                Outcome::Noticed { took, last }
            } else {
                Outcome::Recovered { took, last }
            })
        }
    }
}

/// Ends all faults that can be ended, after one was not overcome: processes go on or are started again, the way to the broker
/// is good, and there is no alarm.
pub(super) async fn heal(shop: &mut Shop) -> Result<(), Failure> {
    shop.revive()?;
    let way = way(shop)?;
    way.cut();
    way.heal().await;
    alarm(shop, false).await
}

/// Waits until the instance that was not hit has all queues of its service and commits effects, if there is such an instance.
async fn wait_for_takeover(
    shop: &Shop,
    service: &'static str,
    whom: Whom,
) -> Result<Option<Duration>, Failure> {
    if whom == Whom::Both {
        return Ok(None);
    }
    let struck = Instant::now();
    wait_for_shares(shop, service, |shares, queues| *shares == [queues]).await?;
    let took = struck.elapsed();
    wait_for_an_effect(shop, service).await?;
    Ok(Some(took))
}

/// How what happened to `service` was overcome: it was taken over, or the service works again. Who was taken over is back in its
/// place before the next fault.
async fn overcome(
    shop: &Shop,
    service: &'static str,
    taken_over: Option<Duration>,
) -> Result<Outcome, Failure> {
    if let Some(took) = taken_over {
        wait_until_both_hold(shop, service).await?;
        return Ok(Outcome::TakenOver(took));
    }
    let (took, last) = recovered(shop, &[service]).await?;
    Ok(Outcome::Recovered { took, last })
}

/// Waits until both instances of `service` are ready and hold some of its queues.
async fn wait_until_both_hold(shop: &Shop, service: &'static str) -> Result<(), Failure> {
    for instance in Whom::Both.of(service) {
        wait_for(&format!("{instance} is ready"), NEVER, async || {
            match shop.get(&instance, "/health/ready").await {
                Ok(answer) if answer.status.is_success() => Ok(()),
                Ok(answer) => Err(answer.body.to_string()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await?;
    }
    wait_for_shares(shop, service, |shares, queues| {
        shares.len() == 2 && !shares.contains(&0) && shares.iter().sum::<i64>() == queues
    })
    .await
}

/// Waits until all that were hit have effects again, and living instances work on all their queues: how long that took, and who
/// was the last.
async fn recovered(shop: &Shop, hit: &[&'static str]) -> Result<(Duration, &'static str), Failure> {
    let healed = Instant::now();
    let recoveries = try_join_all(hit.iter().map(async |service| {
        wait_for_an_effect(shop, service).await?;
        wait_for_shares(shop, service, |shares, queues| shares.iter().sum::<i64>() == queues)
            .await?;
        Ok::<_, Failure>((healed.elapsed(), *service))
    }));
    Ok(recoveries.await?.into_iter().max().unwrap_or_default())
}

/// Lets something happen to the servers or on the way to them, and pass.
async fn shake(shop: &mut Shop, load: &Load, ground: Ground, born: Instant) -> Result<(), Failure> {
    match ground {
        Ground::Cut => way(shop)?.cut(),
        Ground::Swallow | Ground::Deafen => {
            let direction =
                if ground == Ground::Swallow { Direction::ToServer } else { Direction::ToClient };
            let way = way(shop)?;
            way.blackhole(direction);
            sleep(BAD_WAY).await;
            // What was swallowed is lost, so the connections are of no use any more.
            way.cut();
            way.heal().await;
        }
        Ground::Silence => way(shop)?.blackhole_existing(),
        Ground::Slow => {
            let way = way(shop)?;
            way.delay(DELAY);
            sleep(BAD_WAY).await;
            way.heal().await;
        }
        Ground::Alarm => {
            alarm(shop, true).await?;
            sleep(ALARM).await;
            alarm(shop, false).await?;
        }
        Ground::Fill => {
            alarm(shop, true).await?;
            // Most buyers wait for an event sooner or later, and none comes.
            load.rush(true);
            let refused = wait_until_orders_are_refused(shop).await;
            load.rush(false);
            refused?;
            alarm(shop, false).await?;
        }
        Ground::KillPostgres => {
            let Servers::Own { postgres, .. } = &mut shop.servers else { return Err(not_own()) };
            postgres.kill().await?;
            postgres.restart().await?;
        }
        Ground::KillRabbitMq => {
            sleep(OLD_ENOUGH.saturating_sub(born.elapsed())).await;
            let Servers::Own { rabbitmq, .. } = &mut shop.servers else { return Err(not_own()) };
            rabbitmq.kill().await?;
            rabbitmq.restart().await?;
        }
    }
    Ok(())
}

/// Waits until `service` has committed one more effect of each kind than it has now.
async fn wait_for_an_effect(shop: &Shop, service: &str) -> Result<(), Failure> {
    let before =
        wait_for("the effects can be counted", NEVER, async || effects(shop, service).await)
            .await?;
    wait_for(&format!("{service} has effects again"), NEVER, async || {
        let now = effects(shop, service).await.map_err(|error| error.to_string())?;
        let waiting =
            before.iter().filter(|(flow, count)| now.get(*flow).is_none_or(|now| now <= count));
        let waiting: Vec<&str> = waiting.map(|(flow, _)| flow.as_str()).collect();
        if waiting.is_empty() { Ok(()) } else { Err(format!("none of {}", waiting.join(", "))) }
    })
    .await?;
    Ok(())
}

/// Waits until the queues of `service` are divided as they should be: given how many each living instance has, and how many there
/// are.
async fn wait_for_shares(
    shop: &Shop,
    service: &'static str,
    is_right: impl Fn(&[i64], i64) -> bool,
) -> Result<(), Failure> {
    wait_for(&format!("living instances of {service} have its queues"), NEVER, async || match shop
        .shares(service)
        .await
    {
        Ok((shares, queues)) if is_right(&shares, queues) => Ok(()),
        Ok((shares, queues)) => Err(format!("{shares:?} of {queues}")),
        Err(error) => Err(error.to_string()),
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

/// How many events have had their effect in a service, by what it hears of whom: sums of its cursors, and how far it has come in
/// its streams. Demand is left out: it is said when it has changed enough, which may take long.
async fn effects(shop: &Shop, service: &str) -> Result<HashMap<String, i64>, sqlx::Error> {
    let mut connection = PgConnection::connect(shop.databases().url(service)).await?;
    let effects: Vec<(String, i64)> = sqlx::query_as(
        "select concat_ws(' ', source, aggregate), sum(last)::bigint from messaging.cursor
         where aggregate <> 'popularity' group by source, aggregate
         union all
         select stream, sum(next_offset)::bigint from messaging.stream_offset group by stream",
    )
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    Ok(effects.into_iter().collect())
}
