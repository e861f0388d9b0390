//! Injects a fault, ends it, and measures the time until all services have effects again.

use std::{collections::HashMap, time::Duration};

use futures::future::try_join_all;
use sqlx::{Connection as _, PgConnection};
use system_tests::{SERVICES, Servers, Shop};
use testkit::{Direction, QueueState, RabbitMq, wait_for};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    error::Error,
    load::Load,
    plan::{Fault, Infrastructure, Instances, RESTORED},
};

/// Longer than the TTL of any lease.
const PAUSE_DURATION: Duration = Duration::from_secs(4);

/// How long the network to the broker is disturbed.
const NETWORK_FAULT_DURATION: Duration = Duration::from_secs(3);

/// The added latency of slow connections.
const DELAY: Duration = Duration::from_millis(150);

/// How long the memory alarm is raised.
const ALARM_DURATION: Duration = Duration::from_secs(3);

/// The age of the copy from which a database is restored. Shorter than the time after which the last message of a quiet slot is sent
/// again, which shows what the database has lost.
const DUMP_AGE: Duration = Duration::from_secs(4);

/// The minimal age of quorum queues before RabbitMQ is killed: 3.10 loses confirmed messages of younger ones.
const MIN_QUEUE_AGE: Duration = Duration::from_secs(45);

/// Timeout until all services have effects again.
const RECOVERY_TIMEOUT: Duration = Duration::from_mins(1);

/// How the suite recovered from a fault.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    /// One instance was hit: the time until the other one had all queues.
    TakenOver(Duration),
    /// Both instances or the infrastructure were hit: the time from the end of the fault until every service
    /// had committed an effect of each subscription and every queue had a live consumer. `last_service` was
    /// the slowest.
    Recovered { elapsed: Duration, last_service: &'static str },
    /// All connections were dead without a reset: the time until this was detected and everything had effects
    /// again.
    Detected { elapsed: Duration, last_service: &'static str },
}

/// Injects a fault, ends it, and waits for the recovery.
pub(super) async fn inject(
    shop: &mut Shop,
    load: &Load,
    fault: Fault,
    started: Instant,
) -> Result<Outcome, Error> {
    match fault {
        Fault::Kill(service, hit) => {
            let instances = hit.names(service);
            for instance in &instances {
                shop.kill(instance).await?;
            }
            let takeover = wait_for_takeover(shop, service, hit).await?;
            for instance in &instances {
                shop.launch(instance)?;
            }
            for instance in &instances {
                wait_until_it_listens(shop, instance).await?;
            }
            outcome_of(shop, service, takeover).await
        }
        Fault::Pause(service, hit) => {
            let (instances, paused) = (hit.names(service), Instant::now());
            for instance in &instances {
                shop.pause(instance)?;
            }
            let takeover = wait_for_takeover(shop, service, hit).await?;
            sleep(PAUSE_DURATION.saturating_sub(paused.elapsed())).await;
            for instance in &instances {
                shop.resume(instance)?;
            }
            outcome_of(shop, service, takeover).await
        }
        Fault::Infrastructure(fault) => {
            inject_into_infrastructure(shop, load, fault, started).await?;
            let (elapsed, last_service) = wait_for_recovery(shop, &SERVICES).await?;
            Ok(if fault == Infrastructure::Blackhole {
                Outcome::Detected { elapsed, last_service }
            } else {
                Outcome::Recovered { elapsed, last_service }
            })
        }
    }
}

/// Ends all faults after a recovery has failed: resumes and restarts processes, restores the network, and
/// clears the memory alarm.
pub(super) async fn restore(shop: &mut Shop) -> Result<(), Error> {
    shop.restore()?;
    let proxy = proxy(shop)?;
    proxy.cut();
    proxy.heal().await;
    set_memory_alarm(shop, false).await
}

/// Waits until the other instance has all queues of the service and commits effects; none if both were hit.
async fn wait_for_takeover(
    shop: &Shop,
    service: &'static str,
    instances: Instances,
) -> Result<Option<Duration>, Error> {
    if instances == Instances::Both {
        return Ok(None);
    }
    let injected = Instant::now();
    wait_for_assignment(shop, service, |queue_counts, queues| *queue_counts == [queues]).await?;
    let elapsed = injected.elapsed();
    wait_for_an_effect(shop, service).await?;
    Ok(Some(elapsed))
}

/// The outcome of a fault of `service`. After a takeover it waits until both instances have queues again.
async fn outcome_of(
    shop: &Shop,
    service: &'static str,
    takeover: Option<Duration>,
) -> Result<Outcome, Error> {
    if let Some(elapsed) = takeover {
        wait_until_both_have_queues(shop, service).await?;
        return Ok(Outcome::TakenOver(elapsed));
    }
    let (elapsed, last_service) = wait_for_recovery(shop, &[service]).await?;
    Ok(Outcome::Recovered { elapsed, last_service })
}

/// Waits until both instances of `service` are ready and have some of its queues.
async fn wait_until_both_have_queues(shop: &Shop, service: &'static str) -> Result<(), Error> {
    for instance in Instances::Both.names(service) {
        wait_for(&format!("{instance} is ready"), RECOVERY_TIMEOUT, async || {
            match shop.get(&instance, "/health/ready").await {
                Ok(answer) if answer.status.is_success() => Ok(()),
                Ok(answer) => Err(answer.body.to_string()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await?;
    }
    wait_for_assignment(shop, service, |queue_counts, queues| {
        queue_counts.len() == 2
            && !queue_counts.contains(&0)
            && queue_counts.iter().sum::<i64>() == queues
    })
    .await
}

/// Waits until these services have effects again and live instances have all their queues; returns the time
/// and the slowest service.
async fn wait_for_recovery(
    shop: &Shop,
    services: &[&'static str],
) -> Result<(Duration, &'static str), Error> {
    let restored = Instant::now();
    let recoveries = try_join_all(services.iter().map(async |service| {
        wait_for_an_effect(shop, service).await?;
        wait_for_assignment(shop, service, |queue_counts, queues| {
            queue_counts.iter().sum::<i64>() == queues
        })
        .await?;
        Ok::<_, Error>((restored.elapsed(), *service))
    }));
    Ok(recoveries.await?.into_iter().max().unwrap_or_default())
}

/// Injects and ends a fault of a server or of the network.
async fn inject_into_infrastructure(
    shop: &mut Shop,
    load: &Load,
    fault: Infrastructure,
    started: Instant,
) -> Result<(), Error> {
    match fault {
        Infrastructure::ResetConnections => proxy(shop)?.cut(),
        Infrastructure::DropRequests | Infrastructure::DropResponses => {
            let direction = if fault == Infrastructure::DropRequests {
                Direction::ToServer
            } else {
                Direction::ToClient
            };
            let proxy = proxy(shop)?;
            proxy.blackhole(direction);
            sleep(NETWORK_FAULT_DURATION).await;
            // Data is missing, so the connections are unusable.
            proxy.cut();
            proxy.heal().await;
        }
        Infrastructure::Blackhole => proxy(shop)?.blackhole_existing(),
        Infrastructure::Delay => {
            let proxy = proxy(shop)?;
            proxy.delay(DELAY);
            sleep(NETWORK_FAULT_DURATION).await;
            proxy.heal().await;
        }
        Infrastructure::MemoryAlarm => {
            set_memory_alarm(shop, true).await?;
            sleep(ALARM_DURATION).await;
            set_memory_alarm(shop, false).await?;
        }
        Infrastructure::FillOutbox => {
            set_memory_alarm(shop, true).await?;
            // Most buyers wait for events that do not arrive. Only the rush buyers fill the outbox.
            load.rush(true);
            let refused = wait_until_orders_are_refused(shop).await;
            load.rush(false);
            refused?;
            set_memory_alarm(shop, false).await?;
        }
        Infrastructure::LoseQueue(service) => lose_queue(shop, service).await?,
        Infrastructure::RestoreDatabase => restore_database(shop).await?,
        Infrastructure::KillPostgres => {
            let Servers::Private { postgres, .. } = &mut shop.servers else {
                return Err(Error::SharedServers);
            };
            postgres.kill().await?;
            postgres.restart().await?;
        }
        Infrastructure::KillRabbitMq => {
            sleep(MIN_QUEUE_AGE.saturating_sub(started.elapsed())).await;
            let Servers::Private { rabbitmq, .. } = &mut shop.servers else {
                return Err(Error::SharedServers);
            };
            rabbitmq.kill().await?;
            rabbitmq.restart().await?;
        }
    }
    Ok(())
}

/// Deletes the longest event queue of a service. It is declared again by the service, and its messages are sent again by their
/// publishers.
async fn lose_queue(shop: &Shop, service: &str) -> Result<(), Error> {
    let management = rabbitmq(shop)?.management();
    let is_event_queue = |queue: &QueueState| {
        let group = queue.name.strip_prefix(service).and_then(|name| name.rsplit_once('.'));
        group.is_some_and(|(_, group)| group.parse::<u8>().is_ok())
    };
    let queues = management
        .queues("/")
        .await
        .map_err(testkit::Error::from)?
        .into_iter()
        .filter(is_event_queue);
    if let Some(longest) = queues.max_by_key(|queue| queue.messages) {
        let deleted = management.delete_object("queues", "/", &longest.name).await;
        deleted.map_err(testkit::Error::from)?;
    }
    Ok(())
}

/// Replaces the database of [`RESTORED`] by a copy of some seconds before, while its processes are dead. What it has missed as a
/// subscriber it asks for by itself. What it has published since is unknown to it, so it is reconciled before it starts.
async fn restore_database(shop: &mut Shop) -> Result<(), Error> {
    let dump = shop.back_up(RESTORED).await?;
    sleep(DUMP_AGE).await;
    let instances = Instances::Both.names(RESTORED);
    for instance in &instances {
        shop.kill(instance).await?;
    }
    shop.restore_database(RESTORED, &dump).await?;
    shop.reconcile(RESTORED).await?;
    for instance in &instances {
        shop.launch(instance)?;
    }
    for instance in &instances {
        wait_until_it_listens(shop, instance).await?;
    }
    Ok(())
}

/// Waits until `service` has committed one more effect of each kind than it has now.
async fn wait_for_an_effect(shop: &Shop, service: &str) -> Result<(), Error> {
    let before =
        wait_for("effects can be counted", RECOVERY_TIMEOUT, async || effects(shop, service).await)
            .await?;
    wait_for(&format!("{service} has effects again"), RECOVERY_TIMEOUT, async || {
        let now = effects(shop, service).await.map_err(|error| error.to_string())?;
        let waiting = before
            .iter()
            .filter(|(subscription, count)| now.get(*subscription).is_none_or(|now| now <= count));
        let waiting: Vec<&str> = waiting.map(|(subscription, _)| subscription.as_str()).collect();
        if waiting.is_empty() { Ok(()) } else { Err(format!("none of {}", waiting.join(", "))) }
    })
    .await?;
    Ok(())
}

/// Waits until the queues of `service` are assigned as expected; the predicate gets the number of queues of
/// each live instance and of all.
async fn wait_for_assignment(
    shop: &Shop,
    service: &'static str,
    is_expected: impl Fn(&[i64], i64) -> bool,
) -> Result<(), Error> {
    wait_for(
        &format!("live instances of {service} have its queues"),
        RECOVERY_TIMEOUT,
        async || match shop.queue_counts(service).await {
            Ok((queue_counts, queues)) if is_expected(&queue_counts, queues) => Ok(()),
            Ok((queue_counts, queues)) => Err(format!("{queue_counts:?} of {queues}")),
            Err(error) => Err(error.to_string()),
        },
    )
    .await?;
    Ok(())
}

/// Raises or clears the broker's memory alarm.
async fn set_memory_alarm(shop: &Shop, raised: bool) -> Result<(), Error> {
    Ok(rabbitmq(shop)?.set_memory_alarm(raised).await?)
}

/// Waits until the outbox of the order service is full. The service then refuses orders before it validates
/// them; this one is invalid.
async fn wait_until_orders_are_refused(shop: &Shop) -> Result<(), Error> {
    wait_for("the outbox is full", RECOVERY_TIMEOUT, async || {
        match shop.order("no customer", "", 0, Some(&Uuid::now_v7().to_string())).await {
            Ok(answer) if answer.text("/code") == "outbox_full" => Ok(()),
            Ok(answer) => Err(answer.body.to_string()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    Ok(())
}

/// The broker.
fn rabbitmq(shop: &Shop) -> Result<&RabbitMq, Error> {
    match &shop.servers {
        Servers::Private { rabbitmq, .. } => Ok(rabbitmq),
        Servers::Shared { .. } => Err(Error::SharedServers),
    }
}

/// The proxy between the services and the broker.
fn proxy(shop: &Shop) -> Result<&testkit::Proxy, Error> {
    match &shop.servers {
        Servers::Private { proxy, .. } => Ok(proxy),
        Servers::Shared { .. } => Err(Error::SharedServers),
    }
}

async fn wait_until_it_listens(shop: &Shop, service: &str) -> Result<(), Error> {
    wait_for(&format!("{service} listens"), RECOVERY_TIMEOUT, async || {
        shop.get(service, "/health/live").await.map(drop)
    })
    .await?;
    Ok(())
}

/// The number of processed events of a service by subscription: sums of its cursors, and its stream offsets.
///
/// Popularity is left out: it is published only after enough changes, which may take long. So is whether a SKU is sold out, which seldom
/// changes. So are synonyms and rules of the search: no client changes them.
async fn effects(shop: &Shop, service: &str) -> Result<HashMap<String, i64>, sqlx::Error> {
    let mut connection = PgConnection::connect(shop.databases().url(service)).await?;
    let effects: Vec<(String, i64)> = sqlx::query_as(
        "select concat_ws(' ', source, aggregate), sum(last)::bigint from messaging.cursor
         where aggregate not in ('popularity', 'availability', 'search') group by source, aggregate
         union all
         select stream, sum(next_offset)::bigint from messaging.stream_offset group by stream",
    )
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    Ok(effects.into_iter().collect())
}
