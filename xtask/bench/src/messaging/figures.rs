//! The figures of the bench: names in the JSON object, units, and goals.
//!
//! An *event* is one of the bench's events, half a kibibyte with its envelope. *The whole way* is transaction, outbox,
//! relay, broker, consumer, committed effect. Unless stated otherwise, the servers are durable and on the disk.

use suite::{
    Figures,
    Target::{self, AtLeast, AtMost},
};

/// A figure: its name and its goal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    goal: Target,
}

impl Figure {
    const fn new(name: &'static str, goal: Target) -> Self {
        Self { name, goal }
    }

    /// Records and prints the figure.
    pub(super) fn record(self, figures: &mut Figures, value: f64) {
        figures.record(self.name, value, self.goal);
    }

    /// Records and prints a part of the figure, `<name>_<part>`, which has no goal.
    pub(super) fn record_part(self, figures: &mut Figures, part: &str, value: f64) {
        figures.record(format!("{}_{}", self.name, part.replace('-', "_")), value, Target::None);
    }
}

/// Commits and rollbacks per second of all databases of the server, while all five services run without any requests.
/// From `pg_stat_database` over 30 s; each database is also a part. The vacuum launcher of PostgreSQL adds its own
/// transactions. Goal: at most 5.
pub(super) const IDLE_COMMITS_PER_S: Figure = Figure::new("idle_commits_per_s", AtMost(5.0));

/// Processor time of the five services in the same 30 s, in percent of one processor, from `/proc`. Each service and
/// each server is also a part; servers are not in the sum. Goal: at most 1.
pub(super) const IDLE_CPU_PERCENT: Figure = Figure::new("idle_cpu_percent", AtMost(1.0));

/// Messages per second through the bare broker: 60,000 messages of 512 bytes, a durable quorum queue, a publisher with
/// 1,024 confirms in flight, and a consumer. The median of three runs, in turn with those of the kit.
pub(super) const RAW_MSGS_PER_S: Figure = Figure::new("raw_msgs_per_s", Target::None);

/// Events per second over the whole way: 200,000 events, 100 in a transaction, all parts running concurrently. From the
/// first transaction to the last committed effect; the median of three runs.
pub(super) const KIT_EVENTS_PER_S: Figure = Figure::new("kit_events_per_s", Target::None);

/// `kit_events_per_s` over `raw_msgs_per_s`. Goal: at least 1.15.
pub(super) const KIT_OVER_RAW: Figure = Figure::new("kit_over_raw", AtLeast(1.15));

/// Microseconds of processor time of PostgreSQL per event over the whole way, in the runs of `kit_events_per_s`. All
/// processes of the server count, from `/proc/<id>/stat`: backends, also those that have ended, the writers and vacuum
/// workers. The bench's own two rows per event are part of it. The median of three runs; no goal.
pub(super) const PG_US_PER_EVENT: Figure = Figure::new("pg_us_per_event", Target::None);

/// Bytes of the write-ahead log per event over the whole way, in the same runs: the difference of `pg_current_wal_lsn`
/// without the images of whole pages. A checkpoint before each run keeps checkpoints out of it. The median of three
/// runs; no goal.
pub(super) const BYTES_OF_WAL_PER_EVENT: Figure =
    Figure::new("bytes_of_wal_per_event", Target::None);

/// The bytes of these images per event, which depend on the last checkpoint. From the extension `pg_walinspect`; null
/// without it, and then they are part of `bytes_of_wal_per_event`.
pub(super) const BYTES_OF_WAL_IMAGES_PER_EVENT: Figure =
    Figure::new("bytes_of_wal_images_per_event", Target::None);

/// Events per second of an outbox that is polled once a second, without batches.
pub(super) const POLLING_EVENTS_PER_S: Figure = Figure::new("polling_events_per_s", Target::None);

/// Milliseconds from commit to committed effect with this outbox: the median of 15 single events.
pub(super) const POLLING_LATENCY_P50_MS: Figure =
    Figure::new("polling_latency_p50_ms", Target::None);

/// `kit_events_per_s` over `polling_events_per_s`. Goal: at least 20.
pub(super) const KIT_OVER_POLLING: Figure = Figure::new("kit_over_polling", AtLeast(20.0));

/// Milliseconds from the commit of an event to the commit of its effect, at 500 transactions a second with one event
/// each, for ten seconds after a warm-up of two: the median. Goal: at most 5.
pub(super) const LATENCY_P50_MS: Figure = Figure::new("latency_p50_ms", AtMost(5.0));

/// The 99th percentile of the same times. Goal: at most 15.
pub(super) const LATENCY_P99_MS: Figure = Figure::new("latency_p99_ms", AtMost(15.0));

/// `latency_p99_ms` of keys without failures, while events of other keys fail.
pub(super) const BESIDE_TROUBLE_P99_MS: Figure = Figure::new("beside_trouble_p99_ms", Target::None);

/// `beside_trouble_p99_ms` over `latency_p99_ms`. Goal: at most 2.
pub(super) const BESIDE_TROUBLE_OVER_P99: Figure =
    Figure::new("beside_trouble_over_p99", AtMost(2.0));

/// Transactions per second of eight writers that read an item under a lock and update it, without an event. The relay
/// does not run. The median of three rounds of four seconds.
pub(super) const PLAIN_TX_PER_S: Figure = Figure::new("plain_tx_per_s", Target::None);

/// The same transactions, each with one event. The rounds take turns with those of `plain_tx_per_s`.
pub(super) const EMIT_TX_PER_S: Figure = Figure::new("emit_tx_per_s", Target::None);

/// `emit_tx_per_s` over `plain_tx_per_s`: 1 if an event cost nothing. Goal: at least 0.85.
pub(super) const EMIT_TAX: Figure = Figure::new("emit_tax", AtLeast(0.85));

/// The same ratio for the smallest transaction, which updates an item without reading it.
pub(super) const EMIT_TAX_OF_A_BARE_WRITE: Figure =
    Figure::new("emit_tax_of_a_bare_write", Target::None);

/// Rows per second of an outbox with a million rows: the relay alone publishes them and moves them to the log of
/// messages. From its start to the empty outbox; one run. Goal: at least 100,000.
pub(super) const DRAIN_ROWS_PER_S: Figure = Figure::new("drain_rows_per_s", AtLeast(100_000.0));

/// Events per second of the consumer alone: the same million events wait in its queues. From its start to the last
/// committed effect; one run. Goal: at least 100,000.
pub(super) const CONSUMER_EVENTS_PER_S: Figure =
    Figure::new("consumer_events_per_s", AtLeast(100_000.0));

/// Of `bench scale`: events per second over the whole way with this number of known keys, which is a part of the name.
/// 100,000 events on 5,000 keys that are spread evenly over the known ones; the median of five rounds.
pub(super) const SCALE_EVENTS_PER_S: Figure = Figure::new("events_per_s", Target::None);

/// Of `bench scale`: the least of all sizes of `events_per_s` over that of the smallest size, each the median of the
/// ratios within a round. Goal: at least 0.85.
pub(super) const SCALE_EVENTS_PER_S_RATIO: Figure =
    Figure::new("events_per_s_ratio", AtLeast(1.0 - FLAT));

/// Of `bench scale`: microseconds of processor time of PostgreSQL per event, like `pg_us_per_event`. It depends less on
/// what else runs on the machine than a rate does.
pub(super) const SCALE_PG_US_PER_EVENT: Figure = Figure::new("pg_us_per_event", Target::None);

/// Of `bench scale`: bytes on disk per known key, of `messaging.sequence` at the publisher and `messaging.cursor` at the
/// consumer with their indexes (`pg_total_relation_size`). Before the events; each table is also a part.
pub(super) const SCALE_BYTES_PER_KEY: Figure = Figure::new("disk_bytes_per_key", Target::None);

/// Of `bench scale`: the greatest of all sizes of `disk_bytes_per_key` over that of the smallest size. Goal: at most
/// 1.15.
pub(super) const SCALE_BYTES_PER_KEY_RATIO: Figure =
    Figure::new("disk_bytes_per_key_ratio", AtMost(1.0 + FLAT));

/// Of `bench scale`: how many of the wanted sizes were left out, because they did not fit on the disk or into the time.
pub(super) const SCALE_SIZES_LEFT_OUT: Figure = Figure::new("sizes_left_out", AtMost(0.0));

/// How much figures of different sizes may differ and still count as flat.
const FLAT: f64 = 0.15;

#[cfg(test)]
mod tests {
    use suite::Figures;

    use super::{IDLE_CPU_PERCENT, SCALE_EVENTS_PER_S};

    #[test]
    fn parts_have_the_name_of_the_figure_in_front() {
        let mut figures = Figures::default();
        IDLE_CPU_PERCENT.record_part(&mut figures, "search-sync", 0.5);
        SCALE_EVENTS_PER_S.record_part(&mut figures, "10000", 1.0);
        let names: Vec<&str> = figures.names().collect();
        assert_eq!(names, ["events_per_s_10000", "idle_cpu_percent_search_sync"]);
    }
}
