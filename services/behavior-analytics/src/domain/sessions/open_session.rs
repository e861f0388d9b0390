//! One session, while events can still change it and after it is closed.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::domain::{
    event::EventKind,
    funnel::{FunnelStep, furthest_step},
    identity::{SessionKey, VisitorId},
};

/// A longer pause ends a session, even if the next event has the same session id.
pub(crate) const SESSION_GAP: TimeDelta = TimeDelta::minutes(30);

/// One event of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interaction {
    pub(crate) at: DateTime<Utc>,
    pub(crate) kind: EventKind,
    pub(crate) product: Option<Uuid>,
}

/// A session that events can still change.
#[derive(Debug)]
pub(super) struct OpenSession {
    pub(super) key: SessionKey,
    pub(super) started_at: DateTime<Utc>,
    pub(super) last_at: DateTime<Utc>,
    pub(super) events: u32,
    /// Sorted by time; shortened to a bound, so it may hold fewer than `events`.
    pub(super) interactions: Vec<Interaction>,
}

/// The numbers that are kept of a closed session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClosedSession {
    pub(super) visitor: VisitorId,
    pub(super) started_at: DateTime<Utc>,
    pub(super) last_at: DateTime<Utc>,
    pub(super) events: u32,
    pub(super) furthest: Option<FunnelStep>,
}

impl OpenSession {
    pub(super) fn new(key: SessionKey, at: DateTime<Utc>) -> Self {
        Self { key, started_at: at, last_at: at, events: 0, interactions: Vec::new() }
    }

    /// Whether an event at this instant belongs to the session.
    pub(super) fn covers(&self, at: DateTime<Utc>) -> bool {
        at >= self.started_at - SESSION_GAP && at <= self.last_at + SESSION_GAP
    }

    pub(super) fn add(&mut self, interaction: Interaction, limit: usize) {
        self.started_at = self.started_at.min(interaction.at);
        self.last_at = self.last_at.max(interaction.at);
        self.events = self.events.saturating_add(1);
        let place = self.interactions.partition_point(|other| other <= &interaction);
        self.interactions.insert(place, interaction);
        self.shorten(limit);
    }

    pub(super) fn merge(mut self, other: Self, limit: usize) -> Self {
        self.started_at = self.started_at.min(other.started_at);
        self.last_at = self.last_at.max(other.last_at);
        self.events = self.events.saturating_add(other.events);
        self.interactions.extend(other.interactions);
        self.interactions.sort_unstable();
        self.shorten(limit);
        self
    }

    /// Drops the oldest interactions that do not change the funnel: all but the first of each kind.
    fn shorten(&mut self, limit: usize) {
        while self.interactions.len() > limit {
            let repeated = |place: &usize| {
                let kind = self.interactions[*place].kind;
                self.interactions[..*place].iter().any(|earlier| earlier.kind == kind)
            };
            let place = (1..self.interactions.len()).find(repeated).unwrap_or_default();
            self.interactions.remove(place);
        }
    }

    pub(super) fn summary(&self) -> ClosedSession {
        let events = self.interactions.iter().map(|interaction| (interaction.at, interaction.kind));
        ClosedSession {
            visitor: self.key.visitor.clone(),
            started_at: self.started_at,
            last_at: self.last_at,
            events: self.events,
            furthest: furthest_step(events),
        }
    }
}

impl ClosedSession {
    pub(super) fn seconds(&self) -> f64 {
        self.last_at.signed_duration_since(self.started_at).as_seconds_f64()
    }
}
