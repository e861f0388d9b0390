//! What an event costs PostgreSQL: processor time and bytes of its log.

use std::time::Duration;

use sqlx::PgPool;

use crate::{
    error::Error,
    processor_time::{self, Processes},
    statistics::{as_figure, median},
};

/// The name of every process of the server.
const PROGRAM: &str = "postgres";

/// The server, if it runs on this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerProcess(Option<u32>);

impl ServerProcess {
    pub(super) async fn find(pool: &PgPool) -> Result<Self, Error> {
        let file: String =
            sqlx::query_scalar("select pg_read_file('postmaster.pid')").fetch_one(pool).await?;
        // On another machine the id would be of any process.
        let is_server = |id: &u32| processor_time::name_of(*id).as_deref() == Some(PROGRAM);
        Ok(Self(process_id(&file).filter(is_server)))
    }

    /// The processor time of the server and all its children: backends, also those that have ended, and its writers and
    /// vacuum workers. Unknown if it runs on another machine.
    pub(super) fn cpu(self) -> Option<Duration> {
        Some(Processes::read().of_tree(self.0?))
    }
}

/// The process id in the first line of `postmaster.pid`.
fn process_id(file: &str) -> Option<u32> {
    file.lines().next()?.trim().parse().ok()
}

/// The counters of the server at the start of a run.
#[derive(Debug)]
pub(super) struct CostMeter {
    server: ServerProcess,
    cpu: Option<Duration>,
    log_position: String,
}

/// The cost of one event. What cannot be measured is NaN, and null in JSON.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cost {
    /// Microseconds of processor time.
    pub(super) cpu_us: f64,
    /// Bytes of the log, without the images of whole pages if these are known.
    pub(super) log_bytes: f64,
    /// Bytes of the images of whole pages, which the log has when a page changes for the first time after a checkpoint.
    pub(super) image_bytes: f64,
}

impl CostMeter {
    /// Writes a checkpoint, so that none falls into the run, and starts to measure.
    pub(super) async fn start(pool: &PgPool) -> Result<Self, Error> {
        sqlx::raw_sql("checkpoint").execute(pool).await?;
        let server = ServerProcess::find(pool).await?;
        let log_position = log_position(pool).await?;
        Ok(Self { server, cpu: server.cpu(), log_position })
    }

    /// The cost of each of the events since the start.
    pub(super) async fn stop(self, pool: &PgPool, events: u64) -> Result<Cost, Error> {
        let cpu = self.server.cpu();
        let end = log_position(pool).await?;
        let bytes: i64 = sqlx::query_scalar("select ($2::text::pg_lsn - $1::text::pg_lsn)::bigint")
            .bind(&self.log_position)
            .bind(&end)
            .fetch_one(pool)
            .await?;
        let images = image_bytes(pool, &self.log_position, &end).await?;
        let cpu = cpu.zip(self.cpu).map(|(after, before)| after.saturating_sub(before));
        Ok(Cost::of(events, cpu, bytes, images))
    }
}

async fn log_position(pool: &PgPool) -> Result<String, Error> {
    Ok(sqlx::query_scalar("select pg_current_wal_lsn()::text").fetch_one(pool).await?)
}

/// The bytes of the images of whole pages in a part of the log; unknown without the extension `pg_walinspect`.
async fn image_bytes(pool: &PgPool, start: &str, end: &str) -> Result<Option<i64>, Error> {
    let created = sqlx::raw_sql("create extension if not exists pg_walinspect").execute(pool).await;
    match created {
        Ok(_) => {}
        Err(sqlx::Error::Database(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let bytes = sqlx::query_scalar(
        "select coalesce(sum(fpi_size), 0)::bigint from pg_get_wal_stats($1::text::pg_lsn, $2::text::pg_lsn)",
    );
    Ok(Some(bytes.bind(start).bind(end).fetch_one(pool).await?))
}

impl Cost {
    fn of(events: u64, cpu: Option<Duration>, log_bytes: i64, image_bytes: Option<i64>) -> Self {
        let events = as_figure(events);
        Self {
            cpu_us: cpu.map_or(f64::NAN, |cpu| cpu.as_secs_f64() * 1e6 / events),
            log_bytes: as_figure(log_bytes - image_bytes.unwrap_or_default()) / events,
            image_bytes: image_bytes.map_or(f64::NAN, |bytes| as_figure(bytes) / events),
        }
    }

    /// The median of each part.
    pub(super) fn median(costs: &[Self]) -> Self {
        let of = |part: fn(&Self) -> f64| median(costs.iter().map(part).collect());
        Self {
            cpu_us: of(|cost| cost.cpu_us),
            log_bytes: of(|cost| cost.log_bytes),
            image_bytes: of(|cost| cost.image_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cost, process_id};

    #[test]
    fn the_process_id_is_in_the_first_line() {
        assert_eq!(process_id("4711\n/data\n1796000000\n5432\n"), Some(4711));
        assert_eq!(process_id(""), None);
    }

    #[test]
    fn costs_are_per_event_and_images_are_apart() {
        let cost = Cost::of(1_000, Some(Duration::from_millis(40)), 1_500_000, Some(300_000));
        assert_eq!(cost, Cost { cpu_us: 40.0, log_bytes: 1_200.0, image_bytes: 300.0 });
    }

    #[test]
    fn what_is_unknown_is_not_a_number() {
        let cost = Cost::of(1_000, None, 1_500_000, None);
        assert!(cost.cpu_us.is_nan() && cost.image_bytes.is_nan());
        assert_eq!(cost.log_bytes.to_string(), "1500");
    }

    #[test]
    fn the_medians_of_the_parts_are_independent() {
        let cost = |cpu_us, log_bytes| Cost { cpu_us, log_bytes, image_bytes: 0.0 };
        let median = Cost::median(&[cost(1.0, 9.0), cost(3.0, 8.0), cost(2.0, 7.0)]);
        assert_eq!(median, cost(2.0, 8.0));
    }
}
