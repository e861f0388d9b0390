//! Counters of PostgreSQL, the broker and the services.

use std::collections::BTreeMap;

use xtask::arguments::SERVICES;

use super::shop::Shop;
use crate::{error::Error, statistics::as_figure};

/// Counters by name, since the start of their server or service. A part of one has the name `whole/part`.
pub(super) type Counters = BTreeMap<String, f64>;

/// Reads all counters.
pub(super) async fn read(shop: &Shop) -> Result<Counters, Error> {
    let mut counters = Counters::new();
    add_databases(&mut counters, shop).await?;
    let messages = shop.management().message_totals().await.map_err(testkit::Error::from)?;
    counters.insert("messages_published".to_owned(), as_figure(messages.publish));
    counters.insert("messages_acknowledged".to_owned(), as_figure(messages.ack));
    for service in SERVICES {
        let metrics = shop.metrics(service).await?;
        for (name, metric, label) in [
            ("events_published", "messaging_events_published_total", ""),
            ("events_applied", "messaging_events_consumed_total", "outcome=\"applied\""),
            ("events_ignored", "messaging_events_consumed_total", "outcome=\"ignored\""),
        ] {
            *counters.entry(name.to_owned()).or_default() += sum(&metrics, metric, label);
        }
    }
    Ok(counters)
}

/// The rows and commits of each database, and the log of the server. Sessions report what they did once a second, so
/// each reading is up to a second late; in a steady state the difference of two is not.
async fn add_databases(counters: &mut Counters, shop: &Shop) -> Result<(), Error> {
    let databases: Vec<(String, i64, i64)> = sqlx::query_as(
        "select datname::text, xact_commit, tup_inserted + tup_updated + tup_deleted
         from pg_stat_database
         where datname = any($1)",
    )
    .bind(SERVICES.map(str::to_owned))
    .fetch_all(&shop.databases.order)
    .await?;
    for (database, commits, rows) in databases {
        let database = database.replace('-', "_");
        for (name, count) in [("commits", commits), ("rows_written", rows)] {
            let count = as_figure(count);
            *counters.entry(name.to_owned()).or_default() += count;
            counters.insert(format!("{name}/{database}"), count);
        }
    }
    let (bytes, syncs): (i64, i64) =
        sqlx::query_as("select wal_bytes::bigint, wal_sync from pg_stat_wal")
            .fetch_one(&shop.databases.order)
            .await?;
    counters.insert("wal_bytes".to_owned(), as_figure(bytes));
    counters.insert("wal_syncs".to_owned(), as_figure(syncs));
    Ok(())
}

/// The sum of the samples of a metric that have a label, in the text format of Prometheus.
fn sum(text: &str, metric: &str, label: &str) -> f64 {
    let samples = text.lines().filter_map(|line| line.strip_prefix(metric));
    samples
        .filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(label))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn samples_of_one_metric_and_label_are_added() {
        let text = "# TYPE events_total counter\n\
                    events_total{consumer=\"a\",outcome=\"applied\"} 3\n\
                    events_total{consumer=\"b\",outcome=\"applied\"} 4\n\
                    events_total{consumer=\"b\",outcome=\"ignored\"} 50\n\
                    events_total_of_another{outcome=\"applied\"} 600\n\
                    plain_total 7\n";
        assert_eq!(sum(text, "events_total", "outcome=\"applied\"").to_string(), "7");
        assert_eq!(sum(text, "plain_total", "").to_string(), "7");
        assert_eq!(sum(text, "missing_total", "").abs().to_string(), "0");
    }
}
