//! Decide which of the events of a batch count, before they are stored.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, NaiveTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        event_rules::EventRules,
        visitor_history::{Classification, EventFacts, VisitorHistory},
    },
    storage::{event_rules, products, user_events},
};

/// Visitors whose history of the day is remembered. Beyond this bound all are forgotten, and read again.
const CAPACITY: usize = 50_000;

/// The most events of a visitor and day that are read if the rules have no bound.
const MAX_EVENTS_READ: u32 = 100_000;

/// What the reader of the stream remembers of the visitors' day. It follows from the stored events, so it may
/// be lost at any time. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histories(Arc<Mutex<Option<Remembered>>>);

/// Histories that belong to one state of the table and one version of the rules.
#[derive(Debug)]
struct Remembered {
    rules_version: i32,
    /// The number of the newest event that they contain.
    newest: i64,
    by_visitor: HashMap<Box<str>, VisitorHistory>,
}

/// An event that is to be stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewEvent<'a> {
    pub(crate) event_id: Uuid,
    pub(crate) visitor_id: &'a str,
    /// Whether the product is known is found out here.
    pub(crate) facts: EventFacts<'a>,
}

/// The verdicts on a batch, and the histories with it.
#[derive(Debug)]
pub(crate) struct Classified {
    /// For each event of the batch, in its order. That of a duplicate means nothing.
    pub(crate) classifications: Vec<Classification>,
    remembered: Remembered,
}

impl Histories {
    /// Decides about each event of the batch that is not stored yet. Until the transaction ends, the rules stay as
    /// they are. Only one transaction at a time may do this.
    pub(crate) async fn classify(
        &self,
        connection: &mut PgConnection,
        batch: &[NewEvent<'_>],
    ) -> Result<Classified, sqlx::Error> {
        event_rules::lock_shared(connection).await?;
        let stored = event_rules::current(connection).await?;
        let mut remembered = self.take(connection, stored.version).await?;
        read_missing(connection, &mut remembered.by_visitor, batch, &stored.rules).await?;

        let ids: Vec<Uuid> = batch.iter().map(|event| event.event_id).collect();
        let stored_ids = user_events::stored_ids(connection, &ids).await?;
        let mut seen: HashSet<Uuid> = stored_ids.into_iter().collect();
        let products: HashSet<Uuid> =
            batch.iter().filter_map(|event| event.facts.product_id).collect();
        let products: Vec<Uuid> = products.into_iter().collect();
        let known = products::known(connection, &products).await?;
        let known: HashSet<Uuid> = known.into_iter().collect();

        let classify = |event: &NewEvent<'_>| {
            let product_is_known = event.facts.product_id.is_none_or(|id| known.contains(&id));
            let facts = EventFacts { product_is_known, ..event.facts };
            let is_new = seen.insert(event.event_id);
            // Visitors without consent have no history, and a duplicate is not stored.
            match remembered.by_visitor.get_mut(event.visitor_id) {
                Some(history) if is_new => history.classify(&facts, &stored.rules),
                _ => VisitorHistory::default().classify(&facts, &stored.rules),
            }
        };
        let classifications = batch.iter().map(classify).collect();
        Ok(Classified { classifications, remembered })
    }

    /// Remembers the histories of a batch, which ends with the event of this number, once it is committed.
    pub(crate) fn remember(&self, classified: Classified, newest: i64) {
        let mut remembered = classified.remembered;
        if remembered.by_visitor.len() > CAPACITY {
            remembered.by_visitor.clear();
        }
        remembered.newest = newest;
        *self.lock() = Some(remembered);
    }

    /// The remembered histories, if they belong to the state of the table and to these rules. They are forgotten
    /// here until the batch is committed.
    async fn take(
        &self,
        connection: &mut PgConnection,
        rules_version: i32,
    ) -> Result<Remembered, sqlx::Error> {
        let remembered = self.lock().take();
        // Another process may have stored events meanwhile.
        let newest = user_events::newest(connection).await?;
        let is_current =
            |one: &Remembered| one.newest == newest && one.rules_version == rules_version;
        Ok(remembered.filter(is_current).unwrap_or_else(|| Remembered {
            rules_version,
            newest,
            by_visitor: HashMap::new(),
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rebuilds the histories of visitors that are not remembered, from their stored events of the day.
async fn read_missing(
    connection: &mut PgConnection,
    by_visitor: &mut HashMap<Box<str>, VisitorHistory>,
    batch: &[NewEvent<'_>],
    rules: &EventRules,
) -> Result<(), sqlx::Error> {
    let mut missing: HashMap<&str, DateTime<Utc>> = HashMap::new();
    for event in batch.iter().filter(|event| event.facts.consent) {
        if !by_visitor.contains_key(event.visitor_id) {
            let begin = start_of_day(event.facts.received_at);
            let since = missing.entry(event.visitor_id).or_insert(begin);
            *since = begin.min(*since);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let visitors: Vec<(&str, DateTime<Utc>)> = missing.into_iter().collect();
    // Behind the bound of a day, all events have the same verdict.
    let limit = match rules.max_per_day {
        0 => MAX_EVENTS_READ,
        bound => bound.saturating_add(1),
    };
    for row in user_events::facts_since(connection, &visitors, limit.into()).await? {
        let history = by_visitor.entry(row.visitor_id.as_str().into()).or_default();
        history.classify(&row.facts(), rules);
    }
    for (visitor, _) in visitors {
        by_visitor.entry(visitor.into()).or_default();
    }
    Ok(())
}

fn start_of_day(at: DateTime<Utc>) -> DateTime<Utc> {
    at.date_naive().and_time(NaiveTime::MIN).and_utc()
}
