//! All services at rest: there are no requests and no events.

use std::{collections::BTreeMap, time::Duration};

use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};
use xtask::arguments::SERVICES;

use crate::{
    error::Error,
    private_suite::{Limits, PrivateSuite},
    processor_time::Processes,
    statistics::{as_figure, percent_of_a_processor},
};

/// What a start leaves behind is done after this time.
const SETTLE: Duration = Duration::from_secs(15);

/// How long they are watched.
const WINDOW: Duration = Duration::from_secs(30);

/// The counters at one time.
struct Snapshot {
    at: Instant,
    /// The commits and rollbacks of each database.
    transactions: BTreeMap<String, i64>,
    /// The processor time of each service and server with its children.
    cpu: Vec<(&'static str, Duration)>,
}

/// What happened between two snapshots.
#[derive(Debug)]
pub(super) struct AtRest {
    /// The commits and rollbacks of each database per second.
    pub(super) transactions_per_second: BTreeMap<String, f64>,
    /// The processor time of each service and server as a percentage of one processor.
    pub(super) cpu_percent: BTreeMap<&'static str, f64>,
}

/// Starts all services with their defaults on private servers, waits, and watches them.
pub(super) async fn measure() -> Result<AtRest, Error> {
    let mut suite = PrivateSuite::start("bench-at-rest", &SERVICES, Limits::Default, &[]).await?;
    let processes = suite.process_ids()?;
    // No database of a service, and one connection for both readings.
    let url = suite.postgres().database_url("postgres");
    let mut connection = PgConnection::connect(&url).await?;
    sleep(SETTLE).await;
    let before = Snapshot::take(&processes, &mut connection).await?;
    sleep(WINDOW).await;
    let after = Snapshot::take(&processes, &mut connection).await?;
    connection.close().await?;
    suite.stop().await?;
    Ok(after.since(&before))
}

impl Snapshot {
    async fn take(
        processes: &[(&'static str, u32)],
        connection: &mut PgConnection,
    ) -> Result<Self, Error> {
        let (at, all) = (Instant::now(), Processes::read());
        let cpu = processes.iter().map(|(name, id)| (*name, all.of_tree(*id))).collect();
        // An idle session reports what it did within ten seconds. In a steady state that does not change the difference.
        let transactions: Vec<(String, i64)> = sqlx::query_as(
            "select coalesce(datname::text, 'shared'), xact_commit + xact_rollback from pg_stat_database",
        )
        .fetch_all(connection)
        .await?;
        Ok(Self { at, transactions: transactions.into_iter().collect(), cpu })
    }

    fn since(self, before: &Self) -> AtRest {
        let elapsed = self.at - before.at;
        let per_second = |(database, count): (String, i64)| {
            let earlier = before.transactions.get(&database).copied().unwrap_or_default();
            (database, as_figure(count - earlier) / elapsed.as_secs_f64())
        };
        let percent = |((name, after), (_, before)): ((&'static str, Duration), &(_, Duration))| {
            (name, percent_of_a_processor(after.saturating_sub(*before), elapsed))
        };
        AtRest {
            transactions_per_second: self.transactions.into_iter().map(per_second).collect(),
            cpu_percent: self.cpu.into_iter().zip(&before.cpu).map(percent).collect(),
        }
    }
}

impl AtRest {
    /// The commits and rollbacks of all databases per second.
    pub(super) fn commits_per_second(&self) -> f64 {
        self.transactions_per_second.values().sum()
    }

    /// The processor time of all services, without the servers, as a percentage of one processor.
    pub(super) fn cpu_percent_of_services(&self) -> f64 {
        SERVICES.iter().filter_map(|service| self.cpu_percent.get(service)).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Snapshot;

    #[test]
    fn all_databases_count_and_only_services() {
        let at = Instant::now();
        let snapshot = |seconds, order, other, cpu| Snapshot {
            at: at + Duration::from_secs(seconds),
            transactions: [("order".to_owned(), order), ("postgres".to_owned(), other)].into(),
            cpu: vec![
                ("order", Duration::from_millis(cpu)),
                ("inventory", Duration::from_millis(2 * cpu)),
                ("postgresql", Duration::from_secs(cpu)),
            ],
        };
        let at_rest = snapshot(30, 160, 40, 200).since(&snapshot(0, 100, 10, 100));
        assert_eq!(at_rest.commits_per_second().to_string(), "3");
        assert_eq!(at_rest.cpu_percent_of_services().to_string(), "1");
    }
}
