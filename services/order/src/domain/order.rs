//! The order, its states and the steps between them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use vocabulary::{CustomerId, Money, OrderId, PaymentId, PromotionId, Sku};

use super::{
    costs::Costs,
    deadlines::ProcessDeadlines,
    line::{Offer, OrderLine},
    payment::PaymentMethod,
    status::OrderStatus,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) method: PaymentMethod,
    /// Sorted by SKU; each SKU has one line only.
    pub(crate) lines: Vec<OrderLine>,
    /// `None` while the price of a line is unknown.
    pub(crate) costs: Option<Costs>,
    pub(crate) placed_at: DateTime<Utc>,
    pub(crate) state: OrderState,
}

/// The status of an order with the data of that status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrderState {
    /// Waits for inventory.
    Placed {
        expires_at: DateTime<Utc>,
    },
    /// Waits for the payment.
    Reserved {
        expires_at: DateTime<Utc>,
        hold: Hold,
    },
    /// Waits for the shipment; the built-in carrier ships at `ships_at`.
    Confirmed {
        payment: PaymentId,
        ships_at: DateTime<Utc>,
    },
    /// The built-in carrier delivers at `delivers_at`; other carriers call the webhook.
    Shipped {
        delivers_at: Option<DateTime<Utc>>,
    },
    Delivered,
    Rejected(EndReason),
    PaymentFailed(EndReason),
    Expired(EndReason),
    Cancelled(EndReason),
}

impl OrderState {
    pub(crate) const fn status(&self) -> OrderStatus {
        match self {
            Self::Placed { .. } => OrderStatus::Placed,
            Self::Reserved { .. } => OrderStatus::Reserved,
            Self::Confirmed { .. } => OrderStatus::Confirmed,
            Self::Shipped { .. } => OrderStatus::Shipped,
            Self::Delivered => OrderStatus::Delivered,
            Self::Rejected(_) => OrderStatus::Rejected,
            Self::PaymentFailed(_) => OrderStatus::PaymentFailed,
            Self::Expired(_) => OrderStatus::Expired,
            Self::Cancelled(_) => OrderStatus::Cancelled,
        }
    }

    /// How the stock of a reserved order is held.
    pub(crate) const fn hold(&self) -> Option<Hold> {
        match self {
            Self::Reserved { hold, .. } => Some(*hold),
            Self::Placed { .. }
            | Self::Confirmed { .. }
            | Self::Shipped { .. }
            | Self::Delivered
            | Self::Rejected(_)
            | Self::PaymentFailed(_)
            | Self::Expired(_)
            | Self::Cancelled(_) => None,
        }
    }

    /// When the deadline worker must act on the order.
    pub(crate) const fn deadline(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Placed { expires_at } | Self::Reserved { expires_at, .. } => Some(*expires_at),
            Self::Confirmed { ships_at, .. } => Some(*ships_at),
            Self::Shipped { delivers_at } => *delivers_at,
            Self::Delivered
            | Self::Rejected(_)
            | Self::PaymentFailed(_)
            | Self::Expired(_)
            | Self::Cancelled(_) => None,
        }
    }

    /// Why the order ended without a shipment.
    pub(crate) const fn reason(&self) -> Option<&EndReason> {
        match self {
            Self::Rejected(reason)
            | Self::PaymentFailed(reason)
            | Self::Expired(reason)
            | Self::Cancelled(reason) => Some(reason),
            Self::Placed { .. }
            | Self::Reserved { .. }
            | Self::Confirmed { .. }
            | Self::Shipped { .. }
            | Self::Delivered => None,
        }
    }

    /// The payment that a cancellation must refund.
    pub(crate) const fn payment(&self) -> Option<PaymentId> {
        match self {
            Self::Confirmed { payment, .. } => Some(*payment),
            Self::Placed { .. }
            | Self::Reserved { .. }
            | Self::Shipped { .. }
            | Self::Delivered
            | Self::Rejected(_)
            | Self::PaymentFailed(_)
            | Self::Expired(_)
            | Self::Cancelled(_) => None,
        }
    }
}

/// For how long the stock of an order is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    /// The time between the reservation and its first end. `None` for orders of an earlier version.
    pub(crate) length: Option<Duration>,
    /// Whether the customer has extended it.
    pub(crate) is_extended: bool,
}

/// Why the stock of an order cannot be held for longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HoldNotExtendable {
    #[error("the order is {0}, not reserved")]
    NotReserved(OrderStatus),
    #[error("it was extended before")]
    ExtendedBefore,
}

/// Why an order ended without a shipment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndReason {
    /// Stable, for programs.
    pub(crate) code: String,
    /// One sentence, for people.
    pub(crate) text: String,
    pub(crate) shortages: Vec<Shortage>,
}

impl EndReason {
    /// A reason without shortages.
    pub(crate) fn new(code: &str, text: &str) -> Self {
        Self { code: code.to_owned(), text: text.to_owned(), shortages: Vec::new() }
    }
}

/// A SKU with too little stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shortage {
    pub(crate) sku: Sku,
    pub(crate) requested: i64,
    pub(crate) available: i64,
}

/// The state machine does not allow the step. The error returns the order unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {} cannot become {to}", order.status())]
pub(crate) struct InvalidTransition {
    pub(crate) order: Box<Order>,
    pub(crate) to: OrderStatus,
}

impl Order {
    pub(crate) const fn status(&self) -> OrderStatus {
        self.state.status()
    }

    /// What the customer pays; `None` while the price of a line is unknown.
    pub(crate) fn total(&self) -> Option<Money> {
        self.costs.as_ref().map(Costs::total)
    }

    /// The promotions of which the order counts as a use.
    pub(crate) fn promotion_uses(
        &self,
    ) -> impl Iterator<Item = (PromotionId, OrderId, CustomerId)> {
        let discounts = self.costs.iter().flat_map(Costs::counted_promotions);
        discounts.map(|discount| (discount.promotion, self.id, self.customer))
    }

    /// Adds the offers that were unknown when the order was placed.
    pub(crate) fn fill_offers(&mut self, offer_of: impl Fn(&Sku) -> Option<Offer>) {
        for line in self.lines.iter_mut().filter(|line| line.offer.is_none()) {
            line.offer = offer_of(&line.sku);
        }
    }

    pub(super) fn reserve(
        self,
        now: DateTime<Utc>,
        length: Duration,
    ) -> Result<Self, InvalidTransition> {
        let hold = Hold { length: Some(length), is_extended: false };
        self.step(OrderState::Reserved { expires_at: now + length, hold })
    }

    /// Holds the stock for as long again, once. `default` is the length of a hold that is not known.
    pub(super) fn extend_hold(self, default: Duration) -> Result<Self, HoldNotExtendable> {
        match self.state {
            OrderState::Reserved { hold: Hold { is_extended: true, .. }, .. } => {
                Err(HoldNotExtendable::ExtendedBefore)
            }
            OrderState::Reserved { expires_at, hold } => {
                let expires_at = expires_at + hold.length.unwrap_or(default);
                let hold = Hold { is_extended: true, ..hold };
                Ok(Self { state: OrderState::Reserved { expires_at, hold }, ..self })
            }
            OrderState::Placed { .. }
            | OrderState::Confirmed { .. }
            | OrderState::Shipped { .. }
            | OrderState::Delivered
            | OrderState::Rejected(_)
            | OrderState::PaymentFailed(_)
            | OrderState::Expired(_)
            | OrderState::Cancelled(_) => Err(HoldNotExtendable::NotReserved(self.status())),
        }
    }

    pub(super) fn reject(self, reason: EndReason) -> Result<Self, InvalidTransition> {
        self.step(OrderState::Rejected(reason))
    }

    pub(super) fn confirm(
        self,
        payment: PaymentId,
        now: DateTime<Utc>,
        deadlines: &ProcessDeadlines,
    ) -> Result<Self, InvalidTransition> {
        self.step(OrderState::Confirmed { payment, ships_at: now + deadlines.ship_after })
    }

    pub(super) fn fail_payment(self, reason: EndReason) -> Result<Self, InvalidTransition> {
        self.step(OrderState::PaymentFailed(reason))
    }

    pub(super) fn expire(self, reason: EndReason) -> Result<Self, InvalidTransition> {
        self.step(OrderState::Expired(reason))
    }

    pub(super) fn cancel(self, reason: EndReason) -> Result<Self, InvalidTransition> {
        self.step(OrderState::Cancelled(reason))
    }

    /// `delivers_at` is set for the built-in carrier only.
    pub(super) fn ship(
        self,
        delivers_at: Option<DateTime<Utc>>,
    ) -> Result<Self, InvalidTransition> {
        self.step(OrderState::Shipped { delivers_at })
    }

    pub(super) fn deliver(self) -> Result<Self, InvalidTransition> {
        self.step(OrderState::Delivered)
    }

    /// The only place that changes the state; [`OrderStatus::next`] decides which steps are allowed.
    fn step(self, state: OrderState) -> Result<Self, InvalidTransition> {
        let to = state.status();
        if self.status().next().contains(&to) {
            Ok(Self { state, ..self })
        } else {
            Err(InvalidTransition { order: Box::new(self), to })
        }
    }
}
