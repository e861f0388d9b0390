//! Urgent orders beside a backlog of orders that the shop places for customers.
//!
//! Inventory is stopped until the backlog stands. Then it is resumed, and an urgent order arrives every 50 ms until the backlog is
//! confirmed. All queues are common in the first run; in the second, urgent orders have one of four.

use std::time::{Duration, Instant};

use runtime::auth::Scope;
use suite::{Figures, Target, median_ms, output, percentile_ms};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use xtask::arguments::PriorityBench;

use super::{BUYERS, settled::Expected, shop::Shop};
use crate::{
    buyers::{Allowance, Until},
    error::Error,
    statistics::{as_figure, rate},
};

/// The time between two urgent orders.
const INTERVAL: Duration = Duration::from_millis(50);

/// How many urgent orders arrive between two looks at the backlog.
const LOOK_EVERY: u64 = 10;

const SLOT_GROUPS: (&str, &str) = ("SLOT_GROUPS", "order=4,reservation=4");

const PRIORITY_QUEUES: (&str, &str) = ("PRIORITY_QUEUES", "vip=1,bulk=3");

struct Measured {
    /// Of the urgent orders, from the request to the confirmation.
    times: Vec<Duration>,
    /// Orders of the backlog that were confirmed per second.
    bulk_per_second: f64,
}

/// Measures both settings, each with servers of its own.
pub(crate) async fn run(arguments: PriorityBench) -> Result<(), Error> {
    let mut figures = Figures::default();
    output::line("urgent orders:");
    figures.record("backlog_orders", as_figure(arguments.orders), Target::None);
    let mut common = measure(&[SLOT_GROUPS], arguments.orders).await?;
    record(&mut figures, "common", &mut common);
    let mut own = measure(&[SLOT_GROUPS, PRIORITY_QUEUES], arguments.orders).await?;
    record(&mut figures, "own", &mut own);
    let faster = median_ms(&mut own.times) / median_ms(&mut common.times);
    figures.record("urgent_own_over_common", faster, Target::AtMost(0.2));
    let slower = own.bulk_per_second / common.bulk_per_second;
    figures.record("bulk_own_over_common", slower, Target::AtLeast(0.8));
    Ok(figures.write(arguments.json.as_deref())?)
}

fn record(figures: &mut Figures, queues: &str, measured: &mut Measured) {
    let Measured { times, bulk_per_second } = measured;
    figures.record(format!("urgent_orders_{queues}"), as_figure(times.len()), Target::None);
    figures.record(format!("urgent_p50_ms_{queues}"), median_ms(times), Target::None);
    figures.record(format!("urgent_p99_ms_{queues}"), percentile_ms(times, 99), Target::None);
    figures.record(format!("bulk_per_s_{queues}"), *bulk_per_second, Target::None);
}

/// Starts a shop with these settings, and measures it.
async fn measure(settings: &[(&str, &str)], backlog: u64) -> Result<Measured, Error> {
    let shop = Shop::start_with_settings(settings).await?;
    let bulk = shop.buyers_with(&[Scope::OrdersAdmin])?;
    let urgent =
        shop.buyers_with(&[Scope::OrdersRead, Scope::OrdersWrite, Scope::OrdersPriority])?;
    shop.inventory()?.pause()?;
    bulk.run(BUYERS, Until::Accepted, &Allowance::of(backlog)).await?;
    shop.inventory()?.resume()?;
    let began = Instant::now();
    let mut arrivals = interval(INTERVAL);
    arrivals.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tasks = JoinSet::new();
    for number in 1_u64.. {
        arrivals.tick().await;
        let buyers = urgent.clone();
        tasks.spawn(async move {
            let began = Instant::now();
            buyers.order(Until::Decided).await?;
            Ok::<_, Error>(began.elapsed())
        });
        if number % LOOK_EVERY == 0
            && shop.databases.confirmed_orders().await? >= backlog + urgent.confirmed()
        {
            break;
        }
    }
    let bulk_per_second = rate(backlog, began.elapsed());
    let mut times = Vec::new();
    while let Some(ordered) = tasks.join_next().await {
        times.push(ordered.map_err(|_| Error::Timeout("a buyer finishes"))??);
    }
    urgent.check_none_rejected()?;
    let confirmed = backlog + urgent.confirmed();
    shop.wait_until_settled(Expected { confirmed, ..Expected::default() }).await?;
    shop.stop().await?;
    Ok(Measured { times, bulk_per_second })
}
