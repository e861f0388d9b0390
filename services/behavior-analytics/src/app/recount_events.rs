//! Recount events: new verdicts for all stored events after the rules have changed.

use std::collections::HashMap;

use chrono::NaiveDate;
use messaging::Outbox;

use crate::{
    domain::{
        event_rules::EventRules,
        visitor_history::{Classification, VisitorHistory},
    },
    storage::{event_rules, user_events, user_events::FactsRow, write_locks},
};

/// The most events of one transaction.
const PAGE_SIZE: i64 = 2_000;

/// A pass over the stored events, in the order in which they were stored.
#[derive(Debug)]
struct Recount {
    rules: EventRules,
    version: i32,
    /// The number of the last event that has its new verdict.
    last: i64,
    day: NaiveDate,
    histories: HashMap<Box<str>, VisitorHistory>,
    changed: u64,
}

/// Gives all stored events verdicts by the present rules, unless they have them. Returns whether that is done;
/// otherwise the rules have changed meanwhile. Events that are stored meanwhile have the right verdicts.
pub(crate) async fn recount_events(outbox: &Outbox) -> Result<bool, sqlx::Error> {
    let mut connection = outbox.pool().acquire().await?;
    let stored = event_rules::current(&mut connection).await?;
    drop(connection);
    if stored.version == stored.recounted_version {
        return Ok(true);
    }
    let mut recount = Recount {
        rules: stored.rules,
        version: stored.version,
        last: 0,
        day: NaiveDate::MIN,
        histories: HashMap::new(),
        changed: 0,
    };
    while recount.page(outbox).await? {}
    let mut connection = outbox.pool().acquire().await?;
    let done = event_rules::finish_recount(&mut connection, recount.version).await?;
    if done {
        let (version, changed) = (recount.version, recount.changed);
        tracing::info!(version, changed, "recounted the user events");
        metrics::counter!("behavior_events_reclassified_total").increment(changed);
    }
    Ok(done)
}

impl Recount {
    /// Recounts one page. Returns whether there may be more.
    async fn page(&mut self, outbox: &Outbox) -> Result<bool, sqlx::Error> {
        let mut tx = outbox.pool().begin().await?;
        // Two replicas write the same rows in turn, and no erasure deletes them meanwhile.
        write_locks::lock_recount(&mut tx).await?;
        write_locks::lock_erasures_shared(&mut tx).await?;
        if event_rules::current(&mut tx).await?.version != self.version {
            return Ok(false);
        }
        let page = user_events::facts_after(&mut tx, self.last, PAGE_SIZE).await?;
        let changed: Vec<(i64, Classification)> =
            page.iter().filter_map(|row| self.reclassify(row)).collect();
        if !changed.is_empty() {
            user_events::reclassify(&mut tx, &changed).await?;
        }
        tx.commit().await?;
        self.changed += u64::try_from(changed.len()).unwrap_or_default();
        self.last = page.last().map_or(self.last, |row| row.no);
        Ok(i64::try_from(page.len()).is_ok_and(|length| length >= PAGE_SIZE))
    }

    /// The new verdict of an event, if it differs from the stored one.
    fn reclassify(&mut self, row: &FactsRow) -> Option<(i64, Classification)> {
        let day = row.received_at.date_naive();
        if day > self.day {
            // Histories do not reach beyond a day.
            self.histories.clear();
            self.day = day;
        }
        let facts = row.facts();
        let classification = if facts.consent {
            let history = self.histories.entry(row.visitor_id.as_str().into()).or_default();
            history.classify(&facts, &self.rules)
        } else {
            VisitorHistory::default().classify(&facts, &self.rules)
        };
        let is_same = row.verdict == classification.verdict.as_str()
            && (row.weight - classification.weight).abs() < f64::EPSILON;
        (!is_same).then_some((row.no, classification))
    }
}
