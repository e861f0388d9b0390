//! A user event: what a visitor did, when, and with which product.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    identity::{SessionId, SessionKey, VisitorId},
    rejection::{Rejection, RejectionCode},
};

/// Older events are rejected.
pub(crate) const MAX_AGE: TimeDelta = TimeDelta::days(7);

/// Events further in the future are rejected. Without the time of sending, the client's clock may be fast by
/// this much.
pub(crate) const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::minutes(10);

/// The most products that one order may list.
pub(crate) const MAX_ORDER_PRODUCTS: usize = 200;

/// The longest part of an unknown event type that a rejection quotes, in characters.
const MAX_QUOTED_CHARS: usize = 40;

/// What a visitor did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum EventKind {
    /// The page of one product was shown.
    ProductViewed,
    /// A list of products was shown: a category, a search result, a recommendation.
    ListViewed,
    /// A product in a list was clicked.
    ProductClicked,
    Searched,
    CartAdded,
    CartRemoved,
    CheckoutStarted,
    OrderCompleted,
}

impl EventKind {
    /// Every kind, in the order of a purchase.
    pub(crate) const ALL: [Self; 8] = [
        Self::ProductViewed,
        Self::ListViewed,
        Self::ProductClicked,
        Self::Searched,
        Self::CartAdded,
        Self::CartRemoved,
        Self::CheckoutStarted,
        Self::OrderCompleted,
    ];

    /// The name in requests, in the stream and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ProductViewed => "product_viewed",
            Self::ListViewed => "list_viewed",
            Self::ProductClicked => "product_clicked",
            Self::Searched => "searched",
            Self::CartAdded => "cart_added",
            Self::CartRemoved => "cart_removed",
            Self::CheckoutStarted => "checkout_started",
            Self::OrderCompleted => "order_completed",
        }
    }

    /// How much demand an event of this kind expresses for its product, in views; `None` if none. Purchases
    /// count when the order service confirms them, because a client can invent them.
    pub(crate) const fn demand_weight(self) -> Option<f64> {
        match self {
            Self::ProductViewed | Self::ProductClicked => Some(1.0),
            Self::CartAdded => Some(4.0),
            Self::ListViewed
            | Self::Searched
            | Self::CartRemoved
            | Self::CheckoutStarted
            | Self::OrderCompleted => None,
        }
    }

    pub(crate) const fn requires_product(self) -> bool {
        match self {
            Self::ProductViewed
            | Self::ProductClicked
            | Self::CartAdded
            | Self::CartRemoved
            | Self::OrderCompleted => true,
            Self::ListViewed | Self::Searched | Self::CheckoutStarted => false,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = Rejection;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
            let quoted: String = name.chars().take(MAX_QUOTED_CHARS).collect();
            let known = Self::ALL.map(Self::as_str).join(", ");
            let reason = format!("type {quoted:?} is none of {known}");
            Rejection::new(RejectionCode::UnknownType, reason)
        })
    }
}

/// One action of a visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Chosen by the client; a second event with the same id is a duplicate.
    pub(crate) id: Uuid,
    pub(crate) kind: EventKind,
    pub(crate) visitor_id: VisitorId,
    pub(crate) session_id: SessionId,
    pub(crate) product_id: Option<Uuid>,
    /// By the client's clock, corrected if the client sent the time of sending.
    pub(crate) occurred_at: DateTime<Utc>,
    /// Empty unless the kind is [`EventKind::OrderCompleted`].
    pub(crate) order: OrderDetails,
}

/// What an `order_completed` event states about its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OrderDetails {
    pub(crate) product_ids: Vec<Uuid>,
}

impl Event {
    /// Rejects an event that lists too many products, or none although its kind requires one.
    pub(crate) fn check_products(&self) -> Result<(), Rejection> {
        if self.order.product_ids.len() > MAX_ORDER_PRODUCTS {
            let reason =
                format!("properties.product_ids names more than {MAX_ORDER_PRODUCTS} products");
            return Err(Rejection::new(RejectionCode::TooManyProducts, reason));
        }
        if self.kind.requires_product() && self.products().is_empty() {
            let required = if self.kind == EventKind::OrderCompleted {
                "properties.product_ids or product_id"
            } else {
                "product_id"
            };
            let reason = format!("{} needs {required}", self.kind);
            return Err(Rejection::new(RejectionCode::MissingProduct, reason));
        }
        Ok(())
    }

    pub(crate) fn session_key(&self) -> SessionKey {
        SessionKey { visitor: self.visitor_id.clone(), session: self.session_id.clone() }
    }

    /// The products of an order, each once, in the order of the list; for any other event its product.
    pub(crate) fn products(&self) -> Vec<Uuid> {
        let mut products: Vec<Uuid> = Vec::new();
        for product in self.order.product_ids.iter().copied().chain(self.product_id) {
            if !products.contains(&product) {
                products.push(product);
            }
        }
        products
    }
}

/// An instant by the client's clock, corrected by the difference between the clocks at sending. Also returns
/// what was added. The time on the network counts as a part of the difference.
pub(crate) fn corrected(
    occurred_at: DateTime<Utc>,
    sent_at: DateTime<Utc>,
    received_at: DateTime<Utc>,
) -> Result<(DateTime<Utc>, TimeDelta), Rejection> {
    let offset = received_at.signed_duration_since(sent_at);
    let corrected = occurred_at.checked_add_signed(offset).ok_or_else(|| {
        let reason = "occurred_at is too far from sent_at";
        Rejection::new(RejectionCode::TooOld, reason)
    })?;
    Ok((corrected, offset))
}

/// Rejects an event that occurred too long before `now` or too far after it.
pub(crate) fn check_occurred_at(
    occurred_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), Rejection> {
    let age = now.signed_duration_since(occurred_at);
    if age > MAX_AGE {
        let reason = format!("occurred_at is more than {} days ago", MAX_AGE.num_days());
        return Err(Rejection::new(RejectionCode::TooOld, reason));
    }
    if -age > MAX_CLOCK_SKEW {
        let minutes = MAX_CLOCK_SKEW.num_minutes();
        let reason = format!("occurred_at is more than {minutes} minutes in the future");
        return Err(Rejection::new(RejectionCode::InFuture, reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn event(kind: EventKind, product_id: Option<Uuid>, product_ids: Vec<Uuid>) -> Event {
        Event {
            id: Uuid::from_u128(255),
            kind,
            visitor_id: VisitorId::parse("visitor-1").unwrap(),
            session_id: SessionId::parse("访问1").unwrap(),
            product_id,
            occurred_at: now(),
            order: OrderDetails { product_ids },
        }
    }

    #[test]
    fn every_kind_has_a_name_that_parses_back() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        let rejection = "product_seen".parse::<EventKind>().unwrap_err();
        assert_eq!(rejection.code, RejectionCode::UnknownType);
    }

    #[test]
    fn demand_weight_grows_towards_the_purchase() {
        let weights: Vec<f64> =
            EventKind::ALL.into_iter().filter_map(EventKind::demand_weight).collect();
        assert_eq!(weights, [1.0, 1.0, 4.0]);
    }

    #[test]
    fn occurrence_time_is_bounded_inclusively_on_both_sides() {
        let code = |at: DateTime<Utc>| check_occurred_at(at, now()).unwrap_err().code;
        let second = TimeDelta::seconds(1);
        assert!(check_occurred_at(now() - MAX_AGE, now()).is_ok());
        assert_eq!(code(now() - MAX_AGE - second), RejectionCode::TooOld);
        assert!(check_occurred_at(now() + MAX_CLOCK_SKEW, now()).is_ok());
        assert_eq!(code(now() + MAX_CLOCK_SKEW + second), RejectionCode::InFuture);
    }

    #[test]
    fn a_clock_is_corrected_by_its_offset_at_sending() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (occurred, sent) in [
            ("2026-11-22T11:59:00Z", "2026-11-22T12:00:00Z"),
            ("2026-11-22T13:59:00Z", "2026-11-22T14:00:00Z"),
            ("1969-12-31T23:59:00Z", "1970-01-01T00:00:00Z"),
            ("9998-12-31T23:59:00Z", "9999-01-01T00:00:00Z"),
        ] {
            let (corrected, offset) = corrected(at(occurred), at(sent), now()).unwrap();
            assert_eq!(corrected, at("2026-11-22T11:59:00Z"), "{sent}");
            assert_eq!(at(sent) + offset, now());
        }
        let far = corrected(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, now());
        assert_eq!(far.unwrap_err().code, RejectionCode::TooOld);
    }

    #[test]
    fn kinds_about_a_product_require_one() {
        for kind in EventKind::ALL {
            let checked = event(kind, None, Vec::new()).check_products();
            match kind {
                EventKind::ListViewed | EventKind::Searched | EventKind::CheckoutStarted => {
                    assert!(checked.is_ok(), "{kind}");
                }
                EventKind::ProductViewed
                | EventKind::ProductClicked
                | EventKind::CartAdded
                | EventKind::CartRemoved
                | EventKind::OrderCompleted => {
                    assert_eq!(checked.unwrap_err().code, RejectionCode::MissingProduct, "{kind}");
                }
            }
        }
    }

    #[test]
    fn an_order_lists_each_product_once() {
        let [first, second] = [1, 2].map(Uuid::from_u128);
        let order = event(EventKind::OrderCompleted, Some(first), vec![second, first, second]);
        assert!(order.check_products().is_ok());
        assert_eq!(order.products(), [second, first]);

        let many = vec![first; MAX_ORDER_PRODUCTS + 1];
        let rejection = event(EventKind::OrderCompleted, None, many).check_products();
        assert_eq!(rejection.unwrap_err().code, RejectionCode::TooManyProducts);
    }
}
