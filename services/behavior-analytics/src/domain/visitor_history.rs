//! What a visitor did on one day, as far as the rules need it.
//!
//! The verdict on an event follows from the facts of the visitor's events of the same day alone, in the order
//! in which they were stored. So a history that is rebuilt from the stored events gives the same verdicts,
//! and other rules give theirs. The day is that of the server's clock, which no client can move.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{event::EventKind, event_rules::EventRules, verdict::Verdict};

/// The window of `max_per_minute`.
const MINUTE_MS: i64 = 60_000;

/// The facts of a stored event on which its verdict depends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EventFacts<'a> {
    /// `None` if the stored kind is unknown.
    pub(crate) kind: Option<EventKind>,
    pub(crate) product_id: Option<Uuid>,
    /// Whether the catalogue has the product, or there is none.
    pub(crate) product_is_known: bool,
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) user_agent: Option<&'a str>,
    pub(crate) signed: bool,
    pub(crate) consent: bool,
    /// The visitor's place among those of its address within ten minutes, counted from 1.
    pub(crate) visitor_place: Option<u32>,
}

/// A verdict, and how much the event counts in demand and in what is viewed together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Classification {
    pub(crate) verdict: Verdict,
    /// 0 unless the verdict [counts](Verdict::counts).
    pub(crate) weight: f64,
}

/// The history of one visitor on one day.
#[derive(Clone, Debug, Default)]
pub(crate) struct VisitorHistory {
    day: Option<NaiveDate>,
    events: u32,
    /// When the latest events occurred, in milliseconds.
    latest: VecDeque<i64>,
    /// The same of events with a product.
    latest_of_products: VecDeque<i64>,
    counted: HashMap<(Uuid, EventKind), u32>,
}

impl VisitorHistory {
    /// Decides about the visitor's next event, and adds it to the history.
    pub(crate) fn classify(
        &mut self,
        facts: &EventFacts<'_>,
        rules: &EventRules,
    ) -> Classification {
        let verdict = self.verdict(facts, rules);
        let weight = if verdict.counts() { rules.weight(facts.signed) } else { 0.0 };
        Classification { verdict, weight }
    }

    fn verdict(&mut self, facts: &EventFacts<'_>, rules: &EventRules) -> Verdict {
        if !facts.consent {
            return Verdict::NoConsent;
        }
        self.begin_day(facts.received_at.date_naive());
        self.events = self.events.saturating_add(1);
        let at = facts.occurred_at.timestamp_millis();
        push_bounded(&mut self.latest, at, rules.max_per_minute.saturating_add(1));
        if facts.product_id.is_some() {
            push_bounded(&mut self.latest_of_products, at, rules.pause_events);
        }
        if facts.user_agent.is_some_and(|agent| rules.is_known_agent(agent)) {
            return Verdict::KnownAgent;
        }
        if is_exceeded(rules.max_address_visitors, facts.visitor_place.unwrap_or_default()) {
            return Verdict::AddressVisitors;
        }
        if is_exceeded(rules.max_per_day, self.events) {
            return Verdict::DayRate;
        }
        if is_exceeded(rules.max_per_minute, self.within_a_minute_before(at)) {
            return Verdict::MinuteRate;
        }
        if facts.product_id.is_some() && self.has_no_pauses(rules) {
            return Verdict::Pauses;
        }
        let (Some(product), Some(kind)) = (facts.product_id, facts.kind) else {
            return Verdict::Counted;
        };
        if kind.demand_weight().is_none() {
            return Verdict::Counted;
        }
        let counted = self.counted.entry((product, kind)).or_default();
        if is_exceeded(rules.max_per_visitor_product, *counted + 1) {
            return Verdict::Repeated;
        }
        *counted += 1;
        if facts.product_is_known { Verdict::Counted } else { Verdict::UnknownProduct }
    }

    /// Forgets the days before. An event that another process received a moment before midnight belongs to
    /// the new day.
    fn begin_day(&mut self, day: NaiveDate) {
        if self.day.is_none_or(|known| known < day) {
            *self = Self { day: Some(day), ..Self::default() };
        }
    }

    fn within_a_minute_before(&self, at: i64) -> u32 {
        let is_within = |other: &&i64| (at - MINUTE_MS + 1..=at).contains(*other);
        u32::try_from(self.latest.iter().filter(is_within).count()).unwrap_or(u32::MAX)
    }

    /// Whether the pauses between the latest events with a product are all short, or all equal.
    fn has_no_pauses(&self, rules: &EventRules) -> bool {
        let is_full = u32::try_from(self.latest_of_products.len()) == Ok(rules.pause_events);
        if rules.pause_events == 0 || !is_full {
            return false;
        }
        let mut times: Vec<i64> = self.latest_of_products.iter().copied().collect();
        times.sort_unstable();
        let pauses = || times.windows(2).map(|pair| pair[1] - pair[0]);
        let longest = pauses().max().unwrap_or_default();
        let shortest = pauses().min().unwrap_or_default();
        longest < i64::from(rules.min_pause_ms)
            || longest - shortest < i64::from(rules.min_pause_spread_ms)
    }
}

/// Whether a number exceeds a bound; 0 is no bound.
const fn is_exceeded(bound: u32, number: u32) -> bool {
    bound > 0 && number > bound
}

fn push_bounded(times: &mut VecDeque<i64>, at: i64, bound: u32) {
    times.push_back(at);
    while u32::try_from(times.len()).is_ok_and(|length| length > bound) {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::{super::event_rules::tests::rules, *};

    fn at(milliseconds: i64) -> DateTime<Utc> {
        let noon: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        noon + TimeDelta::milliseconds(milliseconds)
    }

    /// A view by a signed visitor, which was sent at once.
    fn view(number: u128, milliseconds: i64) -> EventFacts<'static> {
        EventFacts {
            kind: Some(EventKind::ProductViewed),
            product_id: Some(Uuid::from_u128(number)),
            product_is_known: true,
            occurred_at: at(milliseconds),
            received_at: at(milliseconds),
            user_agent: None,
            signed: true,
            consent: true,
            visitor_place: None,
        }
    }

    fn verdicts(rules: &EventRules, events: &[EventFacts<'_>]) -> Vec<Verdict> {
        let mut history = VisitorHistory::default();
        events.iter().map(|facts| history.classify(facts, rules).verdict).collect()
    }

    fn verdict_of(facts: EventFacts<'_>) -> Verdict {
        verdicts(&rules(), &[facts])[0]
    }

    /// Pauses of a person: of different lengths.
    fn browsing(events: u32, step: i64) -> Vec<EventFacts<'static>> {
        let time = |number: u32| i64::from(number) * step + i64::from(number % 3) * step / 5;
        (0..events).map(|number| view(u128::from(number), time(number))).collect()
    }

    #[test]
    fn facts_of_the_event_alone_can_exclude_it() {
        assert_eq!(verdict_of(view(1, 0)), Verdict::Counted);
        assert_eq!(verdict_of(EventFacts { consent: false, ..view(1, 0) }), Verdict::NoConsent);
        let bot = EventFacts { user_agent: Some("Googlebot/2.1"), ..view(1, 0) };
        assert_eq!(verdict_of(bot), Verdict::KnownAgent);
        let place = |place| EventFacts { visitor_place: Some(place), ..view(1, 0) };
        assert_eq!(verdict_of(place(100)), Verdict::Counted);
        assert_eq!(verdict_of(place(101)), Verdict::AddressVisitors);
        let unknown = EventFacts { product_is_known: false, ..view(1, 0) };
        assert_eq!(verdict_of(unknown), Verdict::UnknownProduct);
        let ordered = EventFacts { kind: Some(EventKind::OrderCompleted), ..unknown };
        assert_eq!(verdict_of(ordered), Verdict::Counted);
    }

    #[test]
    fn a_visitor_counts_once_per_product_kind_and_day() {
        let cart = EventFacts { kind: Some(EventKind::CartAdded), ..view(1, 9_000) };
        let tomorrow = EventFacts { received_at: at(13 * 3_600_000), ..view(1, 20_000) };
        let events = [view(1, 0), view(1, 5_000), cart, view(2, 14_000), tomorrow];
        assert_eq!(
            verdicts(&rules(), &events),
            [
                Verdict::Counted,
                Verdict::Repeated,
                Verdict::Counted,
                Verdict::Counted,
                Verdict::Counted
            ]
        );
        let twice = EventRules { max_per_visitor_product: 2, ..rules() };
        assert_eq!(verdicts(&twice, &events)[1], Verdict::Counted);
    }

    #[test]
    fn an_unsigned_visitor_counts_less() {
        let mut history = VisitorHistory::default();
        let unsigned = EventFacts { signed: false, ..view(1, 0) };
        assert!((history.classify(&unsigned, &rules()).weight - 0.25).abs() < 1e-9);
        assert!((history.classify(&view(2, 5_000), &rules()).weight - 1.0).abs() < 1e-9);
        assert!(history.classify(&view(2, 9_000), &rules()).weight.abs() < 1e-9);
    }

    #[test]
    fn more_events_than_a_person_sends_are_excluded() {
        let quick = verdicts(&rules(), &browsing(100, 500));
        assert_eq!(quick.iter().position(|verdict| *verdict == Verdict::MinuteRate), Some(60));
        let slow = EventRules { max_per_day: 50, ..rules() };
        let slow = verdicts(&slow, &browsing(60, 5_000));
        assert_eq!(slow.iter().position(|verdict| *verdict == Verdict::DayRate), Some(50));
        let late = EventFacts { received_at: at(13 * 3_600_000), ..view(1, 300_000) };
        let next_day: Vec<_> = browsing(60, 5_000).into_iter().chain([late]).collect();
        let bound = EventRules { max_per_day: 50, ..rules() };
        assert_eq!(verdicts(&bound, &next_day).last(), Some(&Verdict::Counted));
    }

    #[test]
    fn events_without_pauses_of_a_person_are_excluded() {
        let views = |step: &dyn Fn(i64) -> i64| -> Vec<EventFacts<'_>> {
            (0..20_u32).map(|n| view(n.into(), step(n.into()))).collect()
        };
        let first = |step: &dyn Fn(i64) -> i64| {
            let events = views(step);
            verdicts(&rules(), &events).iter().position(|verdict| *verdict == Verdict::Pauses)
        };
        assert_eq!(first(&|n| n * 100), Some(14));
        assert_eq!(first(&|n| n * 2_000 + n % 2), Some(14));
        assert_eq!(first(&|n| n * 2_000 + n % 2 * 700), None);
        let off = EventRules { pause_events: 0, ..rules() };
        let events = views(&|n| n * 100);
        assert_eq!(verdicts(&off, &events), [Verdict::Counted; 20]);
    }

    #[test]
    fn a_person_is_not_excluded() {
        assert_eq!(verdicts(&rules(), &browsing(300, 4_000)), [Verdict::Counted; 300]);
    }

    proptest! {
        /// The state after any prefix is that of the day alone: earlier days do not matter.
        #[test]
        fn a_history_of_the_day_is_enough(
            drawn in prop::collection::vec((0_u128..4, 0_i64..172_800_000), 1..80),
        ) {
            let mut events: Vec<EventFacts<'_>> =
                drawn.into_iter().map(|(number, time)| view(number, time)).collect();
            events.sort_by_key(|facts| facts.received_at);
            let all = verdicts(&rules(), &events);
            let day = events[events.len() - 1].received_at.date_naive();
            let start = events.partition_point(|facts| facts.received_at.date_naive() < day);
            prop_assert_eq!(&verdicts(&rules(), &events[start..])[..], &all[start..]);
        }
    }
}
