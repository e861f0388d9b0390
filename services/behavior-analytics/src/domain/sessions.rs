//! Visits: the events of one visitor's session, cut where the visitor paused for more than half an hour.
//!
//! A visit that may still change keeps its events in the order of their times; so a late event finds its place, joins
//! two visits that it bridges, and the answer does not depend on the order of arrival. Once the newest event of all
//! is further ahead than a late event may come, a visit is closed: a few numbers stay of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::event::{Event, EventKind, SessionKey, VisitorId};
use super::funnel::{Funnel, Step, furthest, share};
use super::similar::SESSION_GAP;
use super::slots::count;

/// How much is kept of visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// How late an event may come and still find its visit.
    pub lateness: TimeDelta,
    /// Visits that may still change; beyond it the one whose last event is oldest is closed.
    pub open: usize,
    /// Events that an open visit keeps; beyond it those in the middle go that are not steps of the funnel.
    pub touches: usize,
    /// Closed visits of which numbers stay; beyond it the one that started first goes.
    pub closed: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { lateness: TimeDelta::hours(24), open: 100_000, touches: 100, closed: 500_000 }
    }
}

/// One event of a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touch {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub kind: EventKind,
    /// With which product, where it was about one.
    pub product: Option<Uuid>,
}

/// A visit that may still change.
#[derive(Debug)]
struct Visit {
    key: SessionKey,
    started_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    events: u32,
    /// In the order of their times.
    touches: Vec<Touch>,
}

/// What stays of a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Closed {
    visitor: VisitorId,
    started_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    events: u32,
    furthest: Option<Step>,
}

/// Numbers over the visits that started in a span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionStatistics {
    /// Visits.
    pub sessions: u32,
    /// Those of them whose last event is no older than the pause that ends a visit.
    pub active: u32,
    /// Visitors who made them.
    pub visitors: u32,
    /// Events in them.
    pub events: u64,
    /// Events per visit.
    pub average_events: f64,
    /// The share of visits with one event only, 0 to 1.
    pub bounce_rate: f64,
    /// From the first to the last event, in seconds, on average; a visit of one event lasts 0.
    pub average_seconds: f64,
}

/// All visits.
#[derive(Debug)]
pub struct Sessions {
    limits: SessionLimits,
    newest: DateTime<Utc>,
    next_id: u64,
    open: BTreeMap<u64, Visit>,
    of_key: HashMap<SessionKey, Vec<u64>>,
    by_last: BTreeSet<(DateTime<Utc>, u64)>,
    closed: BTreeMap<(DateTime<Utc>, u64), Closed>,
}

impl Sessions {
    /// No visits yet.
    pub fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            newest: DateTime::UNIX_EPOCH,
            next_id: 0,
            open: BTreeMap::new(),
            of_key: HashMap::new(),
            by_last: BTreeSet::new(),
            closed: BTreeMap::new(),
        }
    }

    /// How many visits may still change.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Of how many closed visits numbers are kept.
    pub fn closed(&self) -> usize {
        self.closed.len()
    }

    /// Takes one event into its visit.
    pub fn apply(&mut self, event: &Event) {
        let touch = Touch { at: event.occurred_at, kind: event.kind, product: event.product_id };
        let key = event.session_key();
        let mut visit =
            self.take_reached(&key, touch.at).unwrap_or_else(|| Visit::starting(key, touch.at));
        visit.add(touch, self.limits.touches);
        self.newest = self.newest.max(touch.at);
        self.put(visit);
        self.close_settled();
    }

    /// The latest visit of a session that may still change: its events in the order of their times.
    pub fn touches(&self, key: &SessionKey) -> &[Touch] {
        let visits = self.of_key.get(key).into_iter().flatten();
        let latest = visits.filter_map(|id| self.open.get(id)).max_by_key(|visit| visit.last_at);
        latest.map_or(&[], |visit| &visit.touches)
    }

    /// Numbers over the visits that started at or after `from` and before `to`.
    pub fn statistics(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> SessionStatistics {
        let visits = self.started_within(from, to);
        let sessions = count(visits.len());
        let counted = |holds: &dyn Fn(&Closed) -> bool| {
            count(visits.iter().filter(|visit| holds(visit)).count())
        };
        let mut visitors: Vec<&VisitorId> = visits.iter().map(|visit| &visit.visitor).collect();
        visitors.sort_unstable();
        visitors.dedup();
        let events: u64 = visits.iter().map(|visit| u64::from(visit.events)).sum();
        let average = |of: &dyn Fn(&Closed) -> f64| {
            let sum: f64 = visits.iter().map(of).sum();
            if sessions == 0 { 0.0 } else { sum / f64::from(sessions) }
        };
        SessionStatistics {
            sessions,
            active: counted(&|visit| now.signed_duration_since(visit.last_at) <= SESSION_GAP),
            visitors: count(visitors.len()),
            events,
            average_events: average(&|visit| f64::from(visit.events)),
            bounce_rate: share(counted(&|visit| visit.events == 1), sessions),
            average_seconds: average(&Closed::seconds),
        }
    }

    /// The funnel over the visits that started at or after `from` and before `to`.
    pub fn funnel(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Funnel {
        Funnel::of(self.started_within(from, to).iter().map(|visit| visit.furthest))
    }

    /// Forgets every visit of a visitor, and says how many there were.
    pub fn forget_visitor(&mut self, visitor: &VisitorId) -> usize {
        let before = self.open.len() + self.closed.len();
        self.closed.retain(|_, visit| visit.visitor != *visitor);
        let theirs: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, visit)| visit.key.visitor == *visitor)
            .map(|(&id, _)| id)
            .collect();
        for id in theirs {
            self.take(id);
        }
        before - self.open.len() - self.closed.len()
    }

    /// Every visit that started in the span, ordered by start; equal starts by what is in them, so that sums do not
    /// depend on which of them came first.
    fn started_within(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Closed> {
        if from >= to {
            return Vec::new();
        }
        let open =
            self.open.values().filter(|visit| visit.started_at >= from && visit.started_at < to);
        let closed = self.closed.range((from, 0)..(to, 0)).map(|(_, visit)| visit.clone());
        let mut visits: Vec<Closed> = open.map(Visit::summary).chain(closed).collect();
        visits.sort_unstable_by(|a, b| {
            let by = |visit: &Closed| (visit.started_at, visit.last_at, visit.events);
            by(a).cmp(&by(b)).then_with(|| a.visitor.cmp(&b.visitor))
        });
        visits
    }

    /// Takes out the visits of a session that reach this instant, as one: an event between two of them joins them.
    fn take_reached(&mut self, key: &SessionKey, at: DateTime<Utc>) -> Option<Visit> {
        let reached: Vec<u64> = self
            .of_key
            .get(key)?
            .iter()
            .copied()
            .filter(|id| self.open.get(id).is_some_and(|visit| visit.reaches(at)))
            .collect();
        let touches = self.limits.touches;
        reached
            .into_iter()
            .filter_map(|id| self.take(id))
            .reduce(|one, other| one.join(other, touches))
    }

    fn take(&mut self, id: u64) -> Option<Visit> {
        let visit = self.open.remove(&id)?;
        self.by_last.remove(&(visit.last_at, id));
        if let Some(ids) = self.of_key.get_mut(&visit.key) {
            ids.retain(|&other| other != id);
            if ids.is_empty() {
                self.of_key.remove(&visit.key);
            }
        }
        Some(visit)
    }

    fn put(&mut self, visit: Visit) {
        let id = self.next_id;
        self.next_id += 1;
        self.by_last.insert((visit.last_at, id));
        self.of_key.entry(visit.key.clone()).or_default().push(id);
        self.open.insert(id, visit);
    }

    /// Closes the visits that no event can reach any more, and the oldest beyond the bound.
    fn close_settled(&mut self) {
        let settled = self.newest - SESSION_GAP - self.limits.lateness;
        while let Some(&(last_at, id)) = self.by_last.first()
            && (last_at < settled || self.open.len() > self.limits.open)
        {
            let Some(visit) = self.take(id) else {
                return;
            };
            self.closed.insert((visit.started_at, id), visit.summary());
        }
        while self.closed.len() > self.limits.closed {
            self.closed.pop_first();
        }
    }
}

impl Visit {
    fn starting(key: SessionKey, at: DateTime<Utc>) -> Self {
        Self { key, started_at: at, last_at: at, events: 0, touches: Vec::new() }
    }

    /// Whether an event at this instant belongs to the visit.
    fn reaches(&self, at: DateTime<Utc>) -> bool {
        at >= self.started_at - SESSION_GAP && at <= self.last_at + SESSION_GAP
    }

    fn add(&mut self, touch: Touch, limit: usize) {
        self.started_at = self.started_at.min(touch.at);
        self.last_at = self.last_at.max(touch.at);
        self.events = self.events.saturating_add(1);
        let place = self.touches.partition_point(|other| other <= &touch);
        self.touches.insert(place, touch);
        self.shorten(limit);
    }

    fn join(mut self, other: Self, limit: usize) -> Self {
        self.started_at = self.started_at.min(other.started_at);
        self.last_at = self.last_at.max(other.last_at);
        self.events = self.events.saturating_add(other.events);
        self.touches.extend(other.touches);
        self.touches.sort_unstable();
        self.shorten(limit);
        self
    }

    /// Drops the oldest touches without which the funnel still reads the same: any but the first of a kind.
    fn shorten(&mut self, limit: usize) {
        while self.touches.len() > limit {
            let repeated = |place: &usize| {
                let kind = self.touches[*place].kind;
                self.touches[..*place].iter().any(|earlier| earlier.kind == kind)
            };
            let place = (1..self.touches.len()).find(repeated).unwrap_or_default();
            self.touches.remove(place);
        }
    }

    fn summary(&self) -> Closed {
        Closed {
            visitor: self.key.visitor.clone(),
            started_at: self.started_at,
            last_at: self.last_at,
            events: self.events,
            furthest: furthest(self.touches.iter().map(|touch| (touch.at, touch.kind))),
        }
    }
}

impl Closed {
    fn seconds(&self) -> f64 {
        self.last_at.signed_duration_since(self.started_at).as_seconds_f64()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Map;

    use super::super::event::SessionId;
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + minutes * 60, 0).unwrap()
    }

    fn event(visitor: &str, kind: EventKind, minutes: i64) -> Event {
        Event {
            event_id: Uuid::nil(),
            kind,
            visitor_id: VisitorId::parse(visitor).unwrap(),
            session_id: SessionId::parse("s").unwrap(),
            product_id: Some(Uuid::from_u128(u128::try_from(minutes).unwrap())),
            occurred_at: at(minutes),
            properties: Map::new(),
        }
    }

    fn viewed(visitor: &str, minutes: i64) -> Event {
        event(visitor, EventKind::ProductViewed, minutes)
    }

    fn learned(limits: SessionLimits, events: &[Event]) -> Sessions {
        let mut sessions = Sessions::new(limits);
        for event in events {
            sessions.apply(event);
        }
        sessions
    }

    fn all(sessions: &Sessions) -> SessionStatistics {
        sessions.statistics(at(0), at(1_000_000), at(1_000_000))
    }

    #[test]
    fn a_pause_of_more_than_half_an_hour_ends_a_visit() {
        let events = [viewed("a", 0), viewed("a", 30), viewed("a", 61), viewed("b", 61)];
        let sessions = learned(SessionLimits::default(), &events);
        let statistics = sessions.statistics(at(0), at(100), at(61));
        assert_eq!(statistics.sessions, 3);
        assert_eq!(statistics.active, 2);
        assert_eq!(statistics.visitors, 2);
        assert_eq!(statistics.events, 4);
        assert!((statistics.average_events - 4.0 / 3.0).abs() < 1e-12);
        assert!((statistics.bounce_rate - 2.0 / 3.0).abs() < 1e-12);
        assert!((statistics.average_seconds - 600.0).abs() < 1e-12);
    }

    #[test]
    fn a_late_event_joins_the_visits_that_it_bridges() {
        let mut sessions = learned(SessionLimits::default(), &[viewed("a", 0), viewed("a", 50)]);
        assert_eq!(sessions.open(), 2);
        sessions.apply(&viewed("a", 25));
        assert_eq!(sessions.open(), 1);
        let key = viewed("a", 0).session_key();
        let times: Vec<_> = sessions.touches(&key).iter().map(|touch| touch.at).collect();
        assert_eq!(times, [at(0), at(25), at(50)]);
    }

    #[test]
    fn a_span_takes_the_visits_that_started_in_it_its_end_not_included() {
        let events = [viewed("a", 10), viewed("a", 20), viewed("b", 15), viewed("c", 20)];
        let sessions = learned(SessionLimits::default(), &events);
        let within = |from: i64, to: i64| sessions.statistics(at(from), at(to), at(20)).sessions;
        assert_eq!(within(10, 20), 2);
        assert_eq!(within(11, 21), 2);
        assert_eq!(within(20, 20), 0);
        assert_eq!(within(30, 10), 0);
    }

    #[test]
    fn a_closed_visit_counts_as_before() {
        use EventKind::{CartAdded, CheckoutStarted, ProductViewed};
        let limits = SessionLimits { lateness: TimeDelta::zero(), ..SessionLimits::default() };
        let events = [
            event("a", ProductViewed, 0),
            event("a", CartAdded, 1),
            event("b", CheckoutStarted, 2),
        ];
        let mut sessions = learned(limits, &events);
        let before = (sessions.statistics(at(0), at(9), at(99)), sessions.funnel(at(0), at(9)));
        sessions.apply(&viewed("c", 100));
        assert_eq!((sessions.open(), sessions.closed()), (1, 2));
        let after = (sessions.statistics(at(0), at(9), at(99)), sessions.funnel(at(0), at(9)));
        assert_eq!(before, after);
        assert_eq!(after.1.steps.map(|step| step.sessions), [1, 1, 0, 0]);
        assert_eq!(sessions.forget_visitor(&VisitorId::parse("a").unwrap()), 1);
        assert_eq!(sessions.closed(), 1);
    }

    #[test]
    fn a_long_visit_is_shortened_and_keeps_its_funnel_and_its_count() {
        let limits = SessionLimits { touches: 4, ..SessionLimits::default() };
        let mut events = vec![viewed("a", 0), event("a", EventKind::CartAdded, 1)];
        events.extend((2..50).map(|minutes| viewed("a", minutes)));
        events.push(event("a", EventKind::CheckoutStarted, 50));
        let sessions = learned(limits, &events);
        let key = events[0].session_key();
        assert_eq!(sessions.touches(&key).len(), 4);
        let funnel = sessions.funnel(at(0), at(60));
        assert_eq!(funnel.steps.map(|step| step.sessions), [1, 1, 1, 0]);
        assert_eq!(all(&sessions).events, 51);
    }

    fn kind() -> impl Strategy<Value = EventKind> {
        prop::sample::select(EventKind::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter_within_the_lateness(
            events in prop::collection::vec((0_u8..4, kind(), 0_i64..600), 1..80),
            shuffled_by in any::<prop::sample::Index>(),
        ) {
            let mut events: Vec<Event> = events
                .into_iter()
                .map(|(visitor, kind, minutes)| event(&format!("v{visitor}"), kind, minutes))
                .collect();
            let straight = learned(SessionLimits::default(), &events);
            let pivot = shuffled_by.index(events.len());
            events.rotate_left(pivot);
            events.reverse();
            let turned = learned(SessionLimits::default(), &events);
            prop_assert_eq!(all(&straight), all(&turned));
            prop_assert_eq!(straight.funnel(at(0), at(700)), turned.funnel(at(0), at(700)));
            prop_assert_eq!(all(&straight).events, u64::try_from(events.len()).unwrap());
        }

        #[test]
        fn everything_is_bounded(
            events in prop::collection::vec((0_u8..20, 0_i64..3_000), 1..200),
        ) {
            let limits = SessionLimits {
                lateness: TimeDelta::minutes(10),
                open: 5,
                touches: 3,
                closed: 7,
            };
            let mut sessions = Sessions::new(limits);
            for (visitor, minutes) in events {
                sessions.apply(&viewed(&format!("v{visitor}"), minutes));
                prop_assert!(sessions.open() <= 5 && sessions.closed() <= 7);
                prop_assert_eq!(sessions.open.len(), sessions.by_last.len());
                let ids: usize = sessions.of_key.values().map(Vec::len).sum();
                prop_assert_eq!(ids, sessions.open.len());
                prop_assert!(sessions.open.values().all(|visit| visit.touches.len() <= 3));
            }
        }
    }
}
