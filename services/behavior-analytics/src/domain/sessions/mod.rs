//! Sessions: the events of one visitor and session id, split wherever the visitor paused for more than 30
//! minutes.
//!
//! An open session keeps its events sorted by time. So a late event finds its place and merges two sessions
//! that it connects, and the order of arrival does not matter. A session is closed when the newest event of
//! all sessions is further ahead than the allowed lateness. Only a few numbers of it remain.

mod open_session;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use self::open_session::{ClosedSession, OpenSession};
pub(crate) use self::open_session::{Interaction, SESSION_GAP};
use super::{
    event::Event,
    funnel::{Funnel, share},
    identity::{SessionKey, VisitorId},
    slots::count,
};

/// Bounds of the tracked sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionLimits {
    /// How late an event may arrive and still join its session.
    pub(crate) lateness: TimeDelta,
    /// Open sessions. Beyond this bound, the session with the oldest last event is closed.
    pub(crate) open: usize,
    /// Events that an open session keeps. Beyond this bound, events that do not change the funnel are
    /// dropped.
    pub(crate) interactions: usize,
    /// Closed sessions. Beyond this bound, the session that started first is dropped.
    pub(crate) closed: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { lateness: TimeDelta::hours(24), open: 100_000, interactions: 100, closed: 500_000 }
    }
}

/// Statistics of the sessions that started in a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SessionStatistics {
    pub(crate) sessions: u32,
    /// Sessions whose last event is no older than [`SESSION_GAP`].
    pub(crate) active: u32,
    /// Distinct visitors.
    pub(crate) visitors: u32,
    pub(crate) events: u64,
    /// Events per session.
    pub(crate) average_events: f64,
    /// The share of sessions with only one event, 0 to 1.
    pub(crate) bounce_rate: f64,
    /// The average time from the first to the last event, in seconds; a session of one event lasts 0.
    pub(crate) average_seconds: f64,
}

/// The sessions of all visitors.
#[derive(Debug)]
pub(crate) struct Sessions {
    limits: SessionLimits,
    newest: DateTime<Utc>,
    next_id: u64,
    open: BTreeMap<u64, OpenSession>,
    by_key: HashMap<SessionKey, Vec<u64>>,
    by_last_event: BTreeSet<(DateTime<Utc>, u64)>,
    closed: BTreeMap<(DateTime<Utc>, u64), ClosedSession>,
}

impl Sessions {
    pub(crate) fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            newest: DateTime::UNIX_EPOCH,
            next_id: 0,
            open: BTreeMap::new(),
            by_key: HashMap::new(),
            by_last_event: BTreeSet::new(),
            closed: BTreeMap::new(),
        }
    }

    #[cfg(test)]
    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }

    #[cfg(test)]
    pub(crate) fn closed_count(&self) -> usize {
        self.closed.len()
    }

    /// Adds an event to its session.
    pub(crate) fn apply(&mut self, event: &Event) {
        let at = event.occurred_at;
        let interaction = Interaction { at, kind: event.kind, product: event.product_id };
        let key = event.session_key();
        let mut session =
            self.remove_covering(&key, at).unwrap_or_else(|| OpenSession::new(key, at));
        session.add(interaction, self.limits.interactions);
        self.newest = self.newest.max(at);
        self.insert(session);
        self.close_settled();
    }

    /// The events of the latest open session with this key, sorted by time.
    pub(crate) fn interactions(&self, key: &SessionKey) -> &[Interaction] {
        let sessions = self.by_key.get(key).into_iter().flatten();
        let latest =
            sessions.filter_map(|id| self.open.get(id)).max_by_key(|session| session.last_at);
        latest.map_or(&[], |session| &session.interactions)
    }

    /// Statistics of the sessions that started at or after `from` and before `to`.
    pub(crate) fn statistics(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> SessionStatistics {
        let started = self.started_between(from, to);
        let sessions = count(started.len());
        let count_if = |condition: &dyn Fn(&ClosedSession) -> bool| {
            count(started.iter().filter(|session| condition(session)).count())
        };
        let mut visitors: Vec<&VisitorId> =
            started.iter().map(|session| &session.visitor).collect();
        visitors.sort_unstable();
        visitors.dedup();
        let events: u64 = started.iter().map(|session| u64::from(session.events)).sum();
        let average = |value: &dyn Fn(&ClosedSession) -> f64| {
            let sum: f64 = started.iter().map(value).sum();
            if sessions == 0 { 0.0 } else { sum / f64::from(sessions) }
        };
        SessionStatistics {
            sessions,
            active: count_if(&|session| now.signed_duration_since(session.last_at) <= SESSION_GAP),
            visitors: count(visitors.len()),
            events,
            average_events: average(&|session| f64::from(session.events)),
            bounce_rate: share(count_if(&|session| session.events == 1), sessions),
            average_seconds: average(&ClosedSession::seconds),
        }
    }

    /// The funnel of the sessions that started at or after `from` and before `to`.
    pub(crate) fn funnel(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Funnel {
        Funnel::new(self.started_between(from, to).iter().map(|session| session.furthest))
    }

    /// Removes all sessions of a visitor, and returns their number.
    pub(crate) fn forget_visitor(&mut self, visitor: &VisitorId) -> usize {
        let before = self.open.len() + self.closed.len();
        self.closed.retain(|_, session| session.visitor != *visitor);
        let open: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, session)| session.key.visitor == *visitor)
            .map(|(&id, _)| id)
            .collect();
        for id in open {
            self.remove(id);
        }
        before - self.open.len() - self.closed.len()
    }

    /// All sessions that started in the period, sorted by start, then by content: sums of floating-point
    /// numbers must not depend on the order of arrival.
    fn started_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<ClosedSession> {
        if from >= to {
            return Vec::new();
        }
        let is_within = |session: &&OpenSession| (from..to).contains(&session.started_at);
        let open = self.open.values().filter(is_within);
        let closed = self.closed.range((from, 0)..(to, 0)).map(|(_, session)| session.clone());
        let mut sessions: Vec<ClosedSession> =
            open.map(OpenSession::summary).chain(closed).collect();
        sessions.sort_unstable_by(|a, b| {
            let key = |one: &ClosedSession| (one.started_at, one.last_at, one.events);
            key(a).cmp(&key(b)).then_with(|| a.visitor.cmp(&b.visitor))
        });
        sessions
    }

    /// Removes the sessions with this key that cover the instant, merged into one: an event can connect two
    /// sessions.
    fn remove_covering(&mut self, key: &SessionKey, at: DateTime<Utc>) -> Option<OpenSession> {
        let covering: Vec<u64> = self
            .by_key
            .get(key)?
            .iter()
            .copied()
            .filter(|id| self.open.get(id).is_some_and(|session| session.covers(at)))
            .collect();
        let limit = self.limits.interactions;
        covering
            .into_iter()
            .filter_map(|id| self.remove(id))
            .reduce(|one, other| one.merge(other, limit))
    }

    fn remove(&mut self, id: u64) -> Option<OpenSession> {
        let session = self.open.remove(&id)?;
        self.by_last_event.remove(&(session.last_at, id));
        if let Some(ids) = self.by_key.get_mut(&session.key) {
            ids.retain(|&other| other != id);
            if ids.is_empty() {
                self.by_key.remove(&session.key);
            }
        }
        Some(session)
    }

    fn insert(&mut self, session: OpenSession) {
        let id = self.next_id;
        self.next_id += 1;
        self.by_last_event.insert((session.last_at, id));
        self.by_key.entry(session.key.clone()).or_default().push(id);
        self.open.insert(id, session);
    }

    /// Closes the sessions that no late event can join any more, and the oldest ones beyond the bound.
    fn close_settled(&mut self) {
        let settled = self.newest - SESSION_GAP - self.limits.lateness;
        while let Some(&(last_at, id)) = self.by_last_event.first()
            && (last_at < settled || self.open.len() > self.limits.open)
        {
            let Some(session) = self.remove(id) else {
                return;
            };
            self.closed.insert((session.started_at, id), session.summary());
        }
        while self.closed.len() > self.limits.closed {
            self.closed.pop_first();
        }
    }
}
