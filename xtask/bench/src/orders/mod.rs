//! Orders from the request to the confirmation: how many a second, what one costs, how long it takes, and a flash sale.
//! Beside them stand the limits of plain SQL on the same server, in the same run.
//!
//! It starts all five services with private servers on the disk. Shipping is far in the future, so that the figures pay
//! for confirmed orders alone.

mod accepted;
mod counters;
mod earlier_orders;
mod flash_sale;
mod paced;
mod plain_sql;
pub(crate) mod priority;
mod settled;
mod shop;
mod signed;
pub(crate) mod stored;
mod sustained;
mod webhooks;

use std::{fs, thread::available_parallelism, time::Duration};

use suite::{Figures, Target, median_ms, output, percentile_ms};
use xtask::arguments::OrdersBench;

pub(crate) use self::signed::signed_and_unsigned;
use self::{
    plain_sql::PlainSql,
    settled::Expected,
    shop::{FLASH_STOCK, SHIP_AFTER_S, Shop},
    sustained::Window,
};
use crate::{
    error::Error,
    statistics::{as_figure, median},
};

/// Concurrent buyers: in a closed loop they cap the rate at their number over the time of an order.
const BUYERS: usize = 640;

/// How often accepted orders and plain transactions are measured, in turn; the medians count.
const ROUNDS: usize = 3;

/// The durations of the parts, in proportion to that of the main one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Durations {
    steady: Duration,
    warm_up: Duration,
    paced: Duration,
    accepted: Duration,
    plain: Duration,
}

impl Durations {
    fn of(seconds: u32) -> Self {
        let part = |divisor: u32, least: u32, most: u32| {
            Duration::from_secs(u64::from((seconds / divisor).clamp(least, most)))
        };
        Self {
            steady: part(1, 1, 600),
            warm_up: part(6, 3, 10),
            paced: part(2, 5, 30),
            accepted: part(6, 3, 10),
            plain: part(15, 2, 4),
        }
    }
}

/// Measures the services.
pub(crate) async fn run(arguments: OrdersBench) -> Result<(), Error> {
    let durations = Durations::of(arguments.seconds);
    let mut figures = Figures::default();
    let shop = Shop::start().await?;
    output::line("orders:");
    record_settings(&mut figures, durations);
    let mut expected = Expected::default();

    let buyers = shop.buyers();
    let window = sustained::measure(&shop, &buyers, durations).await?;
    expected.confirmed += buyers.confirmed();
    shop.wait_until_settled(expected).await?;
    let sustained = window.orders_per_second();
    record_window(&mut figures, &window);

    let buyers = shop.buyers();
    let mut times = paced::measure(&buyers, sustained / 2.0, durations.paced).await?;
    expected.confirmed += buyers.confirmed();
    shop.wait_until_settled(expected).await?;
    figures.record("confirm_orders_per_s", sustained / 2.0, Target::None);
    figures.record("confirm_samples", as_figure(times.len()), Target::None);
    figures.record("confirm_p50_ms", median_ms(&mut times), Target::None);
    figures.record("confirm_p99_ms", percentile_ms(&mut times, 99), Target::None);

    let sql = PlainSql::new(&shop).await?;
    let (mut accepted, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let buyers = shop.buyers();
        accepted.push(accepted::orders_per_second(&buyers, durations.accepted).await?);
        expected.confirmed += buyers.accepted();
        shop.wait_until_settled(expected).await?;
        plain.push(sql.transactions_per_second(durations.plain).await?);
    }
    let (accepted, plain) = (median(accepted), median(plain));
    figures.record("orders_accepted_per_s", accepted, Target::None);
    figures.record("pgbench_tx_per_s", plain, Target::None);
    figures.record("accepted_over_pgbench", accepted / plain, Target::None);

    let sale = flash_sale::measure(&shop).await?;
    expected.confirmed += sale.confirmed;
    expected.rejected += sale.rejected;
    shop.wait_until_settled(expected).await?;
    figures.record("flash_sale_orders_per_s", sale.orders_per_second, Target::None);
    figures.record("flash_sale_confirmed", as_figure(sale.confirmed), Target::None);
    figures.record("flash_over_accepted", sale.orders_per_second / accepted, Target::None);
    let locked = sql.row_lock_orders_per_second(durations.plain).await?;
    figures.record("row_lock_orders_per_s", locked, Target::None);

    let webhooks = webhooks::deliveries_per_second(&shop).await?;
    figures.record("webhooks_per_s", webhooks, Target::None);

    figures.record("orders_confirmed", as_figure(expected.confirmed), Target::None);
    figures.record("orders_rejected", as_figure(expected.rejected), Target::None);
    figures.record("requests_refused", as_figure(shop.refusals()), Target::None);
    shop.stop().await?;
    Ok(figures.write(arguments.json.as_deref())?)
}

/// What the figures depend on. All other settings of the services have their defaults.
fn record_settings(figures: &mut Figures, durations: Durations) {
    shop::LIMITS.record(figures);
    let mut record = |name: &str, value: f64| {
        figures.record(format!("setting_{name}"), value, Target::None);
    };
    record("processors", as_figure(available_parallelism().map_or(1, usize::from)));
    record("load_average_before", load_average());
    record("test_payments", 1.0);
    record("ship_after_s", f64::from(SHIP_AFTER_S));
    record("buyers", as_figure(BUYERS));
    record("customers", as_figure(shop::CUSTOMERS));
    record("skus", as_figure(shop::PRODUCTS * shop::VARIANTS));
    record("lines_per_order", 1.0);
    record("idempotency_key", 1.0);
    record("expected_total", 1.0);
    record("fsync", 1.0);
    record("steady_s", durations.steady.as_secs_f64());
    record("warm_up_s", durations.warm_up.as_secs_f64());
    record("paced_s", durations.paced.as_secs_f64());
    record("accepted_s", durations.accepted.as_secs_f64());
    record("plain_s", durations.plain.as_secs_f64());
    record("flash_stock", as_figure(FLASH_STOCK));
}

/// Processes that waited for a processor or used one in the last minute: what else ran on the machine.
fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

/// The sustained rate, and what an order cost during it.
fn record_window(figures: &mut Figures, window: &Window) {
    let orders = window.orders_per_second();
    figures.record("orders_confirmed_per_s", orders, Target::None);
    figures.record("cpu_ms_per_order", window.per_order_ms(window.cpu()), Target::None);
    for (process, cpu) in &window.cpu_of_processes {
        let name = format!("cpu_ms_per_order_{}", process.replace('-', "_"));
        figures.record(name, window.per_order_ms(*cpu), Target::None);
    }
    figures.record("cpu_cores_of_bench", window.cores(window.cpu()), Target::None);
    let others = window.machine.saturating_sub(window.cpu());
    figures.record("cpu_cores_of_others", window.cores(others), Target::None);
    for (name, count) in &window.counters {
        let name = match name.split_once('/') {
            Some((whole, part)) => format!("{whole}_per_order_{part}"),
            None => format!("{name}_per_order"),
        };
        figures.record(name, window.per_order(*count), Target::None);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Durations;

    #[test]
    fn short_runs_shorten_all_parts_within_bounds() {
        let Durations { steady, warm_up, paced, accepted, plain } = Durations::of(60);
        let seconds = [steady, warm_up, paced, accepted, plain].map(|part| part.as_secs());
        assert_eq!(seconds, [60, 10, 30, 10, 4]);
        let Durations { steady, warm_up, paced, accepted, plain } = Durations::of(1);
        let seconds = [steady, warm_up, paced, accepted, plain].map(|part| part.as_secs());
        assert_eq!(seconds, [1, 3, 5, 3, 2]);
        assert_eq!(Durations::of(u32::MAX).steady, Duration::from_mins(10));
    }
}
