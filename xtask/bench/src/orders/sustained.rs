//! The sustained rate: many buyers in a closed loop, and what an order costs meanwhile.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{
    BUYERS, Durations,
    counters::{self, Counters},
    shop::Shop,
};
use crate::{
    buyers::{Allowance, Buyers, Until},
    error::Error,
    processor_time::{self, Processes},
    statistics::{as_figure, rate},
};

/// The counters at one time.
struct Snapshot {
    at: Instant,
    confirmed: u64,
    cpu: Vec<(&'static str, Duration)>,
    machine: Duration,
    counters: Counters,
}

/// What happened between two snapshots.
#[derive(Debug)]
pub(super) struct Window {
    elapsed: Duration,
    /// The number of orders that their buyers have seen confirmed.
    orders: u64,
    pub(super) cpu_of_processes: Vec<(&'static str, Duration)>,
    /// The time that all processors together were not idle.
    pub(super) machine: Duration,
    pub(super) counters: Counters,
}

/// Warms up, then measures.
pub(super) async fn measure(
    shop: &Shop,
    buyers: &Arc<Buyers>,
    durations: Durations,
) -> Result<Window, Error> {
    let allowance = Allowance::unlimited();
    let window = async {
        sleep(durations.warm_up).await;
        let before = Snapshot::take(shop, buyers).await?;
        sleep(durations.steady).await;
        let after = Snapshot::take(shop, buyers).await?;
        allowance.revoke();
        Ok(after.since(before))
    };
    let ((), window) = tokio::try_join!(buyers.run(BUYERS, Until::Decided, &allowance), window)?;
    buyers.check_none_rejected()?;
    Ok(window)
}

impl Snapshot {
    async fn take(shop: &Shop, buyers: &Buyers) -> Result<Self, Error> {
        let (at, confirmed) = (Instant::now(), buyers.confirmed());
        let processes = Processes::read();
        let of_tree = |(name, id): &(&'static str, u32)| (*name, processes.of_tree(*id));
        let mut cpu: Vec<_> = shop.processes.iter().map(of_tree).collect();
        cpu.push(("load", processor_time::of_this_process()));
        let machine = processor_time::of_machine();
        Ok(Self { at, confirmed, cpu, machine, counters: counters::read(shop).await? })
    }

    fn since(self, before: Self) -> Window {
        let cpu = self.cpu.into_iter().zip(before.cpu);
        Window {
            elapsed: self.at.saturating_duration_since(before.at),
            orders: self.confirmed.saturating_sub(before.confirmed),
            cpu_of_processes: cpu
                .map(|((name, after), (_, before))| (name, after.saturating_sub(before)))
                .collect(),
            machine: self.machine.saturating_sub(before.machine),
            counters: difference(self.counters, &before.counters),
        }
    }
}

/// How much each counter has grown.
fn difference(after: Counters, before: &Counters) -> Counters {
    let grown = |(name, count): (String, f64)| {
        let before = before.get(&name).copied().unwrap_or_default();
        (name, count - before)
    };
    after.into_iter().map(grown).collect::<BTreeMap<_, _>>()
}

impl Window {
    pub(super) fn orders_per_second(&self) -> f64 {
        rate(self.orders, self.elapsed)
    }

    /// The processor time of all processes of the bench.
    pub(super) fn cpu(&self) -> Duration {
        self.cpu_of_processes.iter().map(|(_, cpu)| *cpu).sum()
    }

    /// The number of processors that a processor time kept busy.
    pub(super) fn cores(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    pub(super) fn per_order(&self, count: f64) -> f64 {
        count / as_figure(self.orders)
    }

    pub(super) fn per_order_ms(&self, time: Duration) -> f64 {
        self.per_order(time.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::{Window, difference};

    #[test]
    fn counters_that_appear_later_began_at_zero() {
        let counters = |list: &[(&str, f64)]| {
            list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        let before: BTreeMap<_, _> = counters(&[("a", 5.0)]);
        let grown = difference(counters(&[("a", 7.0), ("b", 3.0)]), &before);
        assert_eq!(grown, counters(&[("a", 2.0), ("b", 3.0)]));
    }

    #[test]
    fn costs_are_per_order_and_cores_per_second() {
        let seconds = Duration::from_secs;
        let window = Window {
            elapsed: seconds(10),
            orders: 1_000,
            cpu_of_processes: vec![("order", seconds(4)), ("load", seconds(1))],
            machine: seconds(20),
            counters: BTreeMap::new(),
        };
        assert_eq!(window.orders_per_second().to_string(), "100");
        assert_eq!(window.per_order_ms(window.cpu()).to_string(), "5");
        assert_eq!(window.cores(window.cpu()).to_string(), "0.5");
    }
}
