use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::{
    event::{EventKind, OrderDetails},
    identity::SessionId,
};

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + minutes * 60, 0).unwrap()
}

fn event(visitor: &str, kind: EventKind, minutes: i64) -> Event {
    Event {
        id: Uuid::nil(),
        kind,
        visitor_id: VisitorId::parse(visitor).unwrap(),
        session_id: SessionId::parse("s").unwrap(),
        product_id: Some(Uuid::from_u128(u128::try_from(minutes).unwrap())),
        occurred_at: at(minutes),
        order: OrderDetails::default(),
    }
}

fn viewed(visitor: &str, minutes: i64) -> Event {
    event(visitor, EventKind::ProductViewed, minutes)
}

fn sessions_of(limits: SessionLimits, events: &[Event]) -> Sessions {
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
fn a_pause_of_more_than_30_minutes_ends_a_session() {
    let events = [viewed("a", 0), viewed("a", 30), viewed("a", 61), viewed("b", 61)];
    let sessions = sessions_of(SessionLimits::default(), &events);
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
fn a_late_event_merges_the_sessions_that_it_connects() {
    let mut sessions = sessions_of(SessionLimits::default(), &[viewed("a", 0), viewed("a", 50)]);
    assert_eq!(sessions.open.len(), 2);
    sessions.apply(&viewed("a", 25));
    assert_eq!(sessions.open.len(), 1);
    let key = viewed("a", 0).session_key();
    let times: Vec<_> = sessions.interactions(&key).iter().map(|one| one.at).collect();
    assert_eq!(times, [at(0), at(25), at(50)]);
}

#[test]
fn a_period_selects_by_start_and_excludes_its_end() {
    let events = [viewed("a", 10), viewed("a", 20), viewed("b", 15), viewed("c", 20)];
    let sessions = sessions_of(SessionLimits::default(), &events);
    let within = |from: i64, to: i64| sessions.statistics(at(from), at(to), at(20)).sessions;
    assert_eq!(within(10, 20), 2);
    assert_eq!(within(11, 21), 2);
    assert_eq!(within(20, 20), 0);
    assert_eq!(within(30, 10), 0);
}

#[test]
fn closing_a_session_changes_no_numbers() {
    use EventKind::{CartAdded, CheckoutStarted, ProductViewed};
    let limits = SessionLimits { lateness: TimeDelta::zero(), ..SessionLimits::default() };
    let events =
        [event("a", ProductViewed, 0), event("a", CartAdded, 1), event("b", CheckoutStarted, 2)];
    let mut sessions = sessions_of(limits, &events);
    let before = (sessions.statistics(at(0), at(9), at(99)), sessions.funnel(at(0), at(9)));
    sessions.apply(&viewed("c", 100));
    assert_eq!((sessions.open.len(), sessions.closed.len()), (1, 2));
    let after = (sessions.statistics(at(0), at(9), at(99)), sessions.funnel(at(0), at(9)));
    assert_eq!(before, after);
    assert_eq!(after.1.steps.map(|step| step.sessions), [1, 1, 0, 0]);
    assert_eq!(sessions.forget_visitor(&VisitorId::parse("a").unwrap()), 1);
    assert_eq!(sessions.closed.len(), 1);
}

#[test]
fn a_shortened_session_keeps_its_funnel_and_event_count() {
    let limits = SessionLimits { interactions: 4, ..SessionLimits::default() };
    let mut events = vec![viewed("a", 0), event("a", EventKind::CartAdded, 1)];
    events.extend((2..50).map(|minutes| viewed("a", minutes)));
    events.push(event("a", EventKind::CheckoutStarted, 50));
    let sessions = sessions_of(limits, &events);
    let key = events[0].session_key();
    assert_eq!(sessions.interactions(&key).len(), 4);
    let funnel = sessions.funnel(at(0), at(60));
    assert_eq!(funnel.steps.map(|step| step.sessions), [1, 1, 1, 0]);
    assert_eq!(all(&sessions).events, 51);
}

fn kind() -> impl Strategy<Value = EventKind> {
    prop::sample::select(EventKind::ALL.to_vec())
}

proptest! {
    #[test]
    fn order_of_arrival_does_not_matter_within_the_lateness(
        events in prop::collection::vec((0_u8..4, kind(), 0_i64..600), 1..80),
        pivot in any::<prop::sample::Index>(),
    ) {
        let mut events: Vec<Event> = events
            .into_iter()
            .map(|(visitor, kind, minutes)| event(&format!("v{visitor}"), kind, minutes))
            .collect();
        let in_order = sessions_of(SessionLimits::default(), &events);
        let pivot = pivot.index(events.len());
        events.rotate_left(pivot);
        events.reverse();
        let reordered = sessions_of(SessionLimits::default(), &events);
        prop_assert_eq!(all(&in_order), all(&reordered));
        prop_assert_eq!(in_order.funnel(at(0), at(700)), reordered.funnel(at(0), at(700)));
        prop_assert_eq!(all(&in_order).events, u64::try_from(events.len()).unwrap());
    }

    #[test]
    fn all_collections_are_bounded(
        events in prop::collection::vec((0_u8..20, 0_i64..3_000), 1..200),
    ) {
        let limits = SessionLimits {
            lateness: TimeDelta::minutes(10),
            open: 5,
            interactions: 3,
            closed: 7,
        };
        let mut sessions = Sessions::new(limits);
        for (visitor, minutes) in events {
            sessions.apply(&viewed(&format!("v{visitor}"), minutes));
            prop_assert!(sessions.open.len() <= 5 && sessions.closed.len() <= 7);
            prop_assert_eq!(sessions.open.len(), sessions.by_last_event.len());
            let ids: usize = sessions.by_key.values().map(Vec::len).sum();
            prop_assert_eq!(ids, sessions.open.len());
            prop_assert!(sessions.open.values().all(|one| one.interactions.len() <= 3));
        }
    }
}
