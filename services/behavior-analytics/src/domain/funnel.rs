//! The way from looking to buying: how many sessions went how far.

use chrono::{DateTime, Utc};

use super::event::EventKind;

/// The steps, in order. A session reaches a step only after the step before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Looked at a product.
    View,
    /// Put one into the cart.
    Cart,
    /// Opened the checkout.
    Checkout,
    /// Ordered.
    Order,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 4] = [Self::View, Self::Cart, Self::Checkout, Self::Order];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Order => "order",
        }
    }

    /// The step that an event takes, if it takes one.
    pub const fn of(kind: EventKind) -> Option<Self> {
        match kind {
            EventKind::ProductViewed => Some(Self::View),
            EventKind::CartAdded => Some(Self::Cart),
            EventKind::CheckoutStarted => Some(Self::Checkout),
            EventKind::OrderCompleted => Some(Self::Order),
            EventKind::ListViewed
            | EventKind::ProductClicked
            | EventKind::Searched
            | EventKind::CartRemoved => None,
        }
    }
}

/// How far the events of one session lead, taken in the order of their times: each step counts only after the one
/// before it. Events of the same instant are taken in the order of a purchase, as [`EventKind`] is ordered.
pub fn furthest(events: impl IntoIterator<Item = (DateTime<Utc>, EventKind)>) -> Option<Step> {
    let mut events: Vec<(DateTime<Utc>, EventKind)> = events.into_iter().collect();
    events.sort_unstable();
    let mut ahead = Step::ALL.into_iter().peekable();
    let mut reached = None;
    for (_, kind) in events {
        if Step::of(kind).is_some_and(|step| ahead.peek() == Some(&step)) {
            reached = ahead.next();
        }
    }
    reached
}

/// The sessions that reached one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepCount {
    /// Which.
    pub step: Step,
    /// How many sessions.
    pub sessions: u32,
    /// Their share of those that reached the step before, 0 to 1; for the first step, of all sessions.
    pub of_previous: f64,
    /// Their share of all sessions, 0 to 1.
    pub of_all: f64,
}

/// A funnel over some sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct Funnel {
    /// All sessions, whether they took a step or not.
    pub sessions: u32,
    /// The four steps, in order.
    pub steps: [StepCount; 4],
}

impl Funnel {
    /// The funnel of sessions of which each went as far as given.
    pub fn of(sessions: impl IntoIterator<Item = Option<Step>>) -> Self {
        let mut all: u32 = 0;
        let mut reached = [0_u32; 4];
        for furthest in sessions {
            all += 1;
            for (step, reached) in Step::ALL.into_iter().zip(&mut reached) {
                *reached += u32::from(furthest >= Some(step));
            }
        }
        let mut previous = all;
        let mut index = 0;
        let steps = Step::ALL.map(|step| {
            let sessions = reached[index];
            let count = StepCount {
                step,
                sessions,
                of_previous: share(sessions, previous),
                of_all: share(sessions, all),
            };
            previous = sessions;
            index += 1;
            count
        });
        Self { sessions: all, steps }
    }
}

/// A part of a whole, 0 to 1; of nothing it is 0.
pub(super) fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(kinds: &[EventKind]) -> Vec<(DateTime<Utc>, EventKind)> {
        let at = |second: usize| {
            DateTime::from_timestamp(1_790_000_000 + i64::try_from(second).unwrap(), 0).unwrap()
        };
        kinds.iter().enumerate().map(|(second, &kind)| (at(second), kind)).collect()
    }

    #[test]
    fn a_step_counts_only_after_the_one_before() {
        use EventKind::{CartAdded, CheckoutStarted, OrderCompleted, ProductViewed, Searched};
        let after = |kinds: &[EventKind]| furthest(events(kinds));
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[Searched]), None);
        assert_eq!(after(&[CartAdded, CheckoutStarted, OrderCompleted]), None);
        assert_eq!(after(&[ProductViewed, CheckoutStarted]), Some(Step::View));
        assert_eq!(after(&[CartAdded, ProductViewed, CheckoutStarted]), Some(Step::View));
        assert_eq!(after(&[ProductViewed, ProductViewed, Searched, CartAdded]), Some(Step::Cart));
        let whole = [ProductViewed, CartAdded, CheckoutStarted, OrderCompleted];
        assert_eq!(after(&whole), Some(Step::Order));
    }

    #[test]
    fn times_decide_not_arrival_and_one_instant_is_taken_in_the_order_of_a_purchase() {
        let whole = [
            EventKind::ProductViewed,
            EventKind::CartAdded,
            EventKind::CheckoutStarted,
            EventKind::OrderCompleted,
        ];
        let mut late = events(&whole);
        late.reverse();
        assert_eq!(furthest(late), Some(Step::Order));
        let instant = DateTime::UNIX_EPOCH;
        let at_once = whole.into_iter().rev().map(|kind| (instant, kind));
        assert_eq!(furthest(at_once), Some(Step::Order));
    }

    #[test]
    fn a_funnel_counts_every_step_on_the_way() {
        let funnel = Funnel::of([None, Some(Step::View), Some(Step::Cart), Some(Step::Order)]);
        assert_eq!(funnel.sessions, 4);
        let count =
            |step, sessions, of_previous, of_all| StepCount { step, sessions, of_previous, of_all };
        let expected = [
            count(Step::View, 3, 0.75, 0.75),
            count(Step::Cart, 2, 2.0 / 3.0, 0.5),
            count(Step::Checkout, 1, 0.5, 0.25),
            count(Step::Order, 1, 1.0, 0.25),
        ];
        assert_eq!(funnel.steps, expected);
    }

    #[test]
    fn an_empty_funnel_has_no_rates() {
        let empty = |step: StepCount| step.of_previous == 0.0 && step.of_all == 0.0;
        assert!(Funnel::of([]).steps.into_iter().all(empty));
    }
}
