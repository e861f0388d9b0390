//! The same events with more and more keys that publisher and consumer already know.
//!
//! All sizes have databases of their own on the same private servers. They are filled first and take turns afterwards,
//! so that the ratios do not depend on how busy the machine is at a time. Each size has as many keys with events,
//! spread evenly over the known ones, so that only the number of other keys differs.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use suite::{Figures, install, output};
use testkit::{DataDir, Postgres, RabbitMq};
use xtask::arguments::ScaleBench;

use super::{figures, harness::Harness, item::Items, postgres_cost::ServerProcess, workload::Load};
use crate::{
    disk::free_bytes,
    error::Error,
    statistics::{as_figure, median, rate},
};

/// The number of events of a round.
const EVENTS: u64 = 100_000;

/// The first events of a round do not count: they bring the pages of the keys with events into memory.
const WARM_UP: u64 = 10_000;

/// How often each size is measured, alternately.
const ROUNDS: usize = 5;

/// The rows that are inserted at once.
const CHUNK: u64 = 250_000;

/// No size is filled any more after this time, and one that is not full then is left out.
const TIME_TO_FILL: Duration = Duration::from_mins(5);

/// No round begins after this time.
const TIME_TO_MEASURE: Duration = Duration::from_mins(8);

/// The bench fails after this time.
const TIMEOUT: Duration = Duration::from_mins(10);

/// What a known key takes on the disk at most: its two rows with their indexes, and what sorting and vacuuming need.
const BYTES_PER_KEY: u64 = 500;

/// What everything else takes at most: two servers, the write-ahead log, and the events.
const OTHER_BYTES: u64 = 6 * 1024 * 1024 * 1024;

/// Measures all sizes.
pub(crate) async fn run(arguments: ScaleBench) -> Result<(), Error> {
    let measured = tokio::time::timeout(TIMEOUT, Box::pin(measure(arguments))).await;
    measured.map_err(|_| Error::Timeout("all sizes are measured in ten minutes"))?
}

async fn measure(arguments: ScaleBench) -> Result<(), Error> {
    let ScaleBench { json, keys } = arguments;
    Figures::check_writable(json.as_deref())?;
    let wanted = in_order(keys);
    install::servers(true, true).await?;
    let started = Instant::now();
    let folder = DataDir::temporary("postgres")?;
    let free = free_bytes(folder.path())?;
    // Dropped in the reverse order: the databases before the servers.
    let rabbitmq = RabbitMq::start_in(DataDir::temporary("rabbitmq")?).await?;
    let postgres = Postgres::start_in(folder).await?;

    let mut sizes: Vec<Size> = Vec::new();
    for keys in &wanted {
        let number = output::number(*keys);
        if !fits(&wanted, *keys, free) {
            output::line(format!("{number} keys are left out: they need more than the free space"));
            continue;
        }
        let began = Instant::now();
        match Size::fill(&postgres, &rabbitmq, *keys, started + TIME_TO_FILL).await? {
            Some(size) => sizes.push(size),
            None => output::line(format!("{number} keys are left out: filling takes too long")),
        }
        let elapsed = began.elapsed().as_secs();
        output::line(format!("{number} keys: {elapsed} s to fill"));
    }
    let server = match sizes.first() {
        Some(size) => ServerProcess::find(size.harness.publisher.pool()).await?,
        None => return Err(Error::Timeout("the smallest number of keys fits")),
    };
    for round in 0..ROUNDS {
        if round > 0 && started.elapsed() > TIME_TO_MEASURE {
            output::line(format!("{round} of {ROUNDS} rounds: there is no time for more"));
            break;
        }
        for size in &mut sizes {
            size.round(server).await?;
        }
    }
    for size in &sizes {
        size.assert_complete().await?;
    }
    let figures = report(&sizes, wanted.len());
    drop(sizes);
    Ok(figures.write(json.as_deref())?)
}

/// The sizes from the smallest to the largest, each once.
fn in_order(mut keys: Vec<u64>) -> Vec<u64> {
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Whether a size and all smaller ones fit on a disk with so much free space.
fn fits(wanted: &[u64], keys: u64, free_bytes: u64) -> bool {
    let known: u64 = wanted.iter().filter(|smaller| **smaller <= keys).sum();
    known * BYTES_PER_KEY + OTHER_BYTES <= free_bytes
}

/// Services that know a number of keys.
struct Size {
    keys: u64,
    harness: Harness,
    bytes: Bytes,
    events: u64,
    events_per_second: Vec<f64>,
    cpu_us_per_event: Vec<f64>,
}

/// The sizes of the tables of keys on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bytes {
    sequence: i64,
    cursor: i64,
}

impl Bytes {
    fn per_key(self, keys: u64) -> f64 {
        as_figure(self.sequence + self.cursor) / as_figure(keys)
    }
}

impl Size {
    /// Creates both services and inserts the keys; nothing if it is not done before `deadline`.
    async fn fill(
        postgres: &Postgres,
        rabbitmq: &RabbitMq,
        keys: u64,
        deadline: Instant,
    ) -> Result<Option<Self>, Error> {
        let harness = Harness::open_with_known_keys(postgres, rabbitmq).await?;
        let (publisher, consumer) = (harness.publisher.pool(), harness.consumer_pool());
        for first in (0..keys).step_by(usize::try_from(CHUNK).unwrap_or(usize::MAX)) {
            if Instant::now() > deadline {
                return Ok(None);
            }
            let last = (first + CHUNK).min(keys) - 1;
            let sequence = insert(
                publisher,
                "insert into messaging.sequence (aggregate, key, last)
                 select 'item', 'item-' || number, 1 from generate_series($1::bigint, $2::bigint) as number",
                (first, last),
            );
            let cursor = insert(
                consumer,
                "insert into messaging.cursor (consumer, source, aggregate, key, last)
                 select 'consumer.item', 'publisher', 'item', 'item-' || number, 1
                 from generate_series($1::bigint, $2::bigint) as number",
                (first, last),
            );
            tokio::try_join!(sequence, cursor)?;
        }
        // What PostgreSQL would do some time after so many rows: not while events flow.
        sqlx::raw_sql("vacuum (freeze, analyze) messaging.sequence").execute(publisher).await?;
        sqlx::raw_sql("vacuum (freeze, analyze) messaging.cursor").execute(consumer).await?;
        sqlx::raw_sql("checkpoint").execute(publisher).await?;
        let bytes = Bytes {
            sequence: bytes_of(publisher, "messaging.sequence").await?,
            cursor: bytes_of(consumer, "messaging.cursor").await?,
        };
        let (events_per_second, cpu_us_per_event) = (Vec::new(), Vec::new());
        Ok(Some(Self { keys, harness, bytes, events: 0, events_per_second, cpu_us_per_event }))
    }

    /// Measures once.
    async fn round(&mut self, server: ServerProcess) -> Result<(), Error> {
        let (relay, consumer) = (self.harness.start_relay(), self.harness.start_consumer());
        self.run(WARM_UP).await?;
        let (started, before) = (Instant::now(), server.cpu());
        self.run(EVENTS).await?;
        let elapsed = started.elapsed();
        // They finish their work, which is part of the cost.
        relay.stop().await;
        consumer.stop().await;
        let cpu = server.cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
        self.events_per_second.push(rate(EVENTS, elapsed));
        let of_event = |cpu: Duration| cpu.as_secs_f64() * 1e6 / as_figure(EVENTS);
        self.cpu_us_per_event.push(cpu.map_or(f64::NAN, of_event));
        Ok(())
    }

    /// Emits events and waits for their effects.
    async fn run(&mut self, events: u64) -> Result<(), Error> {
        Load::of(Items::among(self.keys), events).write(&self.harness.publisher).await?;
        self.events += events;
        self.harness.effects.wait_for(self.events).await
    }

    /// Asserts that no event was lost, and that all were of known keys.
    async fn assert_complete(&self) -> Result<(), Error> {
        self.harness.assert_complete(self.events).await?;
        let (publisher, consumer) = (self.harness.publisher.pool(), self.harness.consumer_pool());
        for (pool, table) in [(publisher, "messaging.sequence"), (consumer, "messaging.cursor")] {
            let count = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
            let rows: i64 = sqlx::query_scalar(count).fetch_one(pool).await?;
            if u64::try_from(rows) != Ok(self.keys) {
                let text = format!("{table} has {rows} rows for {} keys", self.keys);
                return Err(Error::Inconsistent(text));
            }
        }
        Ok(())
    }
}

/// Inserts the keys with these first and last numbers.
async fn insert(pool: &PgPool, sql: &'static str, (first, last): (u64, u64)) -> Result<(), Error> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query(sql).bind(number(first)).bind(number(last)).execute(pool).await?;
    Ok(())
}

/// The size of a table on the disk with its indexes.
async fn bytes_of(pool: &PgPool, table: &str) -> Result<i64, Error> {
    let bytes = sqlx::query_scalar("select pg_total_relation_size($1::text::regclass)");
    Ok(bytes.bind(table).fetch_one(pool).await?)
}

/// The figures of all sizes, the smallest first.
fn report(sizes: &[Size], wanted: usize) -> Figures {
    let mut figures = Figures::default();
    output::line("scale, by number of known keys, with goals:");
    let smallest = sizes.first();
    let (mut rates, mut bytes) = (Vec::new(), Vec::new());
    for size in sizes {
        let keys = size.keys.to_string();
        let per_key = size.bytes.per_key(size.keys);
        let mut part = |figure: figures::Figure, value| {
            figure.record_part(&mut figures, &keys, value);
        };
        part(figures::SCALE_EVENTS_PER_S, median(size.events_per_second.clone()));
        part(figures::SCALE_PG_US_PER_EVENT, median(size.cpu_us_per_event.clone()));
        part(figures::SCALE_BYTES_PER_KEY, per_key);
        let of_table = |bytes: i64| as_figure(bytes) / as_figure(size.keys);
        let sequence = of_table(size.bytes.sequence);
        figures::SCALE_BYTES_PER_KEY.record_part(
            &mut figures,
            &format!("sequence_{keys}"),
            sequence,
        );
        let cursor = of_table(size.bytes.cursor);
        figures::SCALE_BYTES_PER_KEY.record_part(&mut figures, &format!("cursor_{keys}"), cursor);
        let Some(smallest) = smallest.filter(|smallest| smallest.keys < size.keys) else {
            continue;
        };
        let ratio = ratio_of_rounds(&size.events_per_second, &smallest.events_per_second);
        figures::SCALE_EVENTS_PER_S_RATIO.record_part(&mut figures, &keys, ratio);
        rates.push(ratio);
        let ratio = per_key / smallest.bytes.per_key(smallest.keys);
        figures::SCALE_BYTES_PER_KEY_RATIO.record_part(&mut figures, &keys, ratio);
        bytes.push(ratio);
    }
    // With a single size there is nothing to compare.
    if let Some(least) = rates.into_iter().reduce(f64::min) {
        figures::SCALE_EVENTS_PER_S_RATIO.record(&mut figures, least);
    }
    if let Some(greatest) = bytes.into_iter().reduce(f64::max) {
        figures::SCALE_BYTES_PER_KEY_RATIO.record(&mut figures, greatest);
    }
    let left_out = as_figure(wanted.saturating_sub(sizes.len()));
    figures::SCALE_SIZES_LEFT_OUT.record(&mut figures, left_out);
    figures
}

/// The median of the ratios of two sizes in each round. What slows a whole round down does not change it.
fn ratio_of_rounds(figures: &[f64], smallest: &[f64]) -> f64 {
    median(figures.iter().zip(smallest).map(|(figure, smallest)| figure / smallest).collect())
}

#[cfg(test)]
mod tests {
    use super::{BYTES_PER_KEY, Bytes, OTHER_BYTES, fits, in_order, ratio_of_rounds};

    #[test]
    fn sizes_are_sorted_and_counted_once() {
        assert_eq!(in_order(vec![1_000_000, 10_000, 10_000]), [10_000, 1_000_000]);
    }

    #[test]
    fn a_size_must_fit_beside_the_smaller_ones() {
        let wanted = [10_000, 1_000_000];
        let free = 1_010_000 * BYTES_PER_KEY + OTHER_BYTES;
        assert!(fits(&wanted, 1_000_000, free));
        assert!(!fits(&wanted, 1_000_000, free - 1));
        assert!(fits(&wanted, 10_000, free - 1));
    }

    #[test]
    fn a_slow_round_does_not_change_the_ratio() {
        let ratio = ratio_of_rounds(&[90.0, 45.0, 9.0], &[100.0, 50.0, 10.0]);
        assert_eq!(ratio.to_string(), "0.9");
    }

    #[test]
    fn both_tables_count_per_key() {
        assert_eq!(Bytes { sequence: 1_000, cursor: 2_000 }.per_key(10).to_string(), "300");
    }
}
