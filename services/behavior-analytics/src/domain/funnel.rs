//! The purchase funnel: how many sessions reached which step.

use chrono::{DateTime, Utc};

use super::event::EventKind;

/// The steps, in order. A session reaches a step only after the previous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum FunnelStep {
    View,
    Cart,
    Checkout,
    Order,
}

impl FunnelStep {
    pub(crate) const ALL: [Self; 4] = [Self::View, Self::Cart, Self::Checkout, Self::Order];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Order => "order",
        }
    }

    const fn of(kind: EventKind) -> Option<Self> {
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

/// The last step that the events of one session reach, sorted by time. Events of the same instant are sorted
/// in the order of a purchase, which is the order of [`EventKind`].
pub(crate) fn furthest_step(
    events: impl IntoIterator<Item = (DateTime<Utc>, EventKind)>,
) -> Option<FunnelStep> {
    let mut events: Vec<(DateTime<Utc>, EventKind)> = events.into_iter().collect();
    events.sort_unstable();
    let mut next_steps = FunnelStep::ALL.into_iter().peekable();
    let mut reached = None;
    for (_, kind) in events {
        if FunnelStep::of(kind).is_some_and(|step| next_steps.peek() == Some(&step)) {
            reached = next_steps.next();
        }
    }
    reached
}

/// The sessions that reached one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StepCount {
    pub(crate) step: FunnelStep,
    pub(crate) sessions: u32,
    /// Their share of the sessions that reached the previous step, 0 to 1; for the first step, of all
    /// sessions.
    pub(crate) of_previous: f64,
    /// Their share of all sessions, 0 to 1.
    pub(crate) of_all: f64,
}

/// The funnel of a set of sessions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Funnel {
    /// All sessions, including those that reached no step.
    pub(crate) sessions: u32,
    /// The four steps, in order.
    pub(crate) steps: [StepCount; 4],
}

impl Funnel {
    /// Counts sessions by the last step that each reached.
    pub(crate) fn new(furthest_steps: impl IntoIterator<Item = Option<FunnelStep>>) -> Self {
        let mut all: u32 = 0;
        let mut reached = [0_u32; 4];
        for furthest in furthest_steps {
            all += 1;
            for (step, reached) in FunnelStep::ALL.into_iter().zip(&mut reached) {
                *reached += u32::from(furthest >= Some(step));
            }
        }
        let mut previous = all;
        let mut index = 0;
        let steps = FunnelStep::ALL.map(|step| {
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

/// `part` divided by `whole`, or 0 if `whole` is 0.
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
    fn a_step_counts_only_after_the_previous_one() {
        use EventKind::{CartAdded, CheckoutStarted, OrderCompleted, ProductViewed, Searched};
        let after = |kinds: &[EventKind]| furthest_step(events(kinds));
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[Searched]), None);
        assert_eq!(after(&[CartAdded, CheckoutStarted, OrderCompleted]), None);
        assert_eq!(after(&[ProductViewed, CheckoutStarted]), Some(FunnelStep::View));
        assert_eq!(after(&[CartAdded, ProductViewed, CheckoutStarted]), Some(FunnelStep::View));
        let to_cart = [ProductViewed, ProductViewed, Searched, CartAdded];
        assert_eq!(after(&to_cart), Some(FunnelStep::Cart));
        let whole = [ProductViewed, CartAdded, CheckoutStarted, OrderCompleted];
        assert_eq!(after(&whole), Some(FunnelStep::Order));
    }

    #[test]
    fn events_sort_by_time_then_by_purchase_order() {
        let whole = [
            EventKind::ProductViewed,
            EventKind::CartAdded,
            EventKind::CheckoutStarted,
            EventKind::OrderCompleted,
        ];
        let mut late = events(&whole);
        late.reverse();
        assert_eq!(furthest_step(late), Some(FunnelStep::Order));
        let instant = DateTime::UNIX_EPOCH;
        let simultaneous = whole.into_iter().rev().map(|kind| (instant, kind));
        assert_eq!(furthest_step(simultaneous), Some(FunnelStep::Order));
    }

    #[test]
    fn a_funnel_counts_every_step_up_to_the_last() {
        use FunnelStep::{Cart, Checkout, Order, View};
        let funnel = Funnel::new([None, Some(View), Some(Cart), Some(Order)]);
        assert_eq!(funnel.sessions, 4);
        let count =
            |step, sessions, of_previous, of_all| StepCount { step, sessions, of_previous, of_all };
        let expected = [
            count(View, 3, 0.75, 0.75),
            count(Cart, 2, 2.0 / 3.0, 0.5),
            count(Checkout, 1, 0.5, 0.25),
            count(Order, 1, 1.0, 0.25),
        ];
        assert_eq!(funnel.steps, expected);
    }

    #[test]
    fn an_empty_funnel_has_zero_rates() {
        let empty = |step: StepCount| step.of_previous == 0.0 && step.of_all == 0.0;
        assert!(Funnel::new([]).steps.into_iter().all(empty));
    }
}
