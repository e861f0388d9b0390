//! The order, its states and the steps between them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use vocabulary::{CustomerId, Money, OrderId, ParcelId, PaymentId, PromotionId, Quantity, Sku};

use super::{
    costs::{Costs, worth_of_refunded},
    deadlines::ProcessDeadlines,
    fulfilment::Fulfilment,
    line::{Offer, OrderLine},
    parcel::{CancelledPieces, Parcel, Parcels},
    parcel_status::ParcelStatus,
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
    pub(crate) parcels: Parcels,
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
    /// Waits for the shipment of a parcel; the built-in carrier ships all of them at `ships_at`. `None` if another carrier ships.
    Confirmed {
        payment: PaymentId,
        ships_at: Option<DateTime<Utc>>,
    },
    /// The built-in carrier delivers at `delivers_at`; other carriers call the webhook.
    Shipped {
        delivers_at: Option<DateTime<Utc>>,
    },
    Delivered,
    /// All pieces have come back.
    Returned,
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
            Self::Returned => OrderStatus::Returned,
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
            | Self::Returned
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
            Self::Confirmed { ships_at: at, .. } | Self::Shipped { delivers_at: at } => *at,
            Self::Delivered
            | Self::Returned
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
            | Self::Delivered
            | Self::Returned => None,
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
            | Self::Returned
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
#[error("an order that is {}{} cannot become {to}", order.status(), order.partly_shipped())]
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
        parcels: Parcels,
        now: DateTime<Utc>,
        length: Duration,
    ) -> Result<Self, InvalidTransition> {
        let hold = Hold { length: Some(length), is_extended: false };
        let order = self.step(OrderState::Reserved { expires_at: now + length, hold })?;
        Ok(Self { parcels, ..order })
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
            | OrderState::Returned
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
        let ships_at = deadlines.ship_after.map(|after| now + after);
        self.step(OrderState::Confirmed { payment, ships_at })
    }

    pub(super) fn fail_payment(self, reason: EndReason) -> Result<Self, InvalidTransition> {
        self.step(OrderState::PaymentFailed(reason))
    }

    pub(super) fn expire(self, reason: EndReason) -> Result<Self, InvalidTransition> {
        self.step(OrderState::Expired(reason))
    }

    /// Refused once a carrier has a parcel.
    pub(super) fn cancel(self, reason: EndReason) -> Result<Self, InvalidTransition> {
        if self.fulfilment().has_begun() {
            return Err(InvalidTransition { order: Box::new(self), to: OrderStatus::Cancelled });
        }
        self.step(OrderState::Cancelled(reason))
    }

    /// Leaves a confirmed order to another carrier than the built-in one.
    pub(super) fn without_deadline(self) -> Self {
        match self.state {
            OrderState::Confirmed { payment, .. } => {
                Self { state: OrderState::Confirmed { payment, ships_at: None }, ..self }
            }
            OrderState::Placed { .. }
            | OrderState::Reserved { .. }
            | OrderState::Shipped { .. }
            | OrderState::Delivered
            | OrderState::Returned
            | OrderState::Rejected(_)
            | OrderState::PaymentFailed(_)
            | OrderState::Expired(_)
            | OrderState::Cancelled(_) => self,
        }
    }

    /// The parcels, with the state of each.
    pub(crate) fn parcel_list(&self) -> Vec<Parcel> {
        self.parcels.list(self.id, self.status(), &self.lines)
    }

    pub(crate) fn fulfilment(&self) -> Fulfilment {
        self.parcels.fulfilment(self.status(), &self.lines)
    }

    /// For a sentence about an order whose status does not tell it.
    fn partly_shipped(&self) -> &'static str {
        if self.fulfilment() == Fulfilment::PartlyShipped { " and partly shipped" } else { "" }
    }

    /// Hands pending parcels to a carrier. The order is shipped with the last of them. `delivers_at` is set for the built-in carrier
    /// only. After a parcel by another carrier, the built-in one leaves the rest to it.
    pub(super) fn ship(
        self,
        parcels: &[ParcelId],
        delivers_at: Option<DateTime<Utc>>,
    ) -> Result<Self, InvalidTransition> {
        let to = OrderStatus::Shipped;
        let OrderState::Confirmed { payment, .. } = self.state else {
            return Err(InvalidTransition { order: Box::new(self), to });
        };
        let order = self.with_parcels(parcels, ParcelStatus::Shipped);
        if order.parcels.fulfilment(to, &order.lines).status() == to {
            order.step(OrderState::Shipped { delivers_at })
        } else {
            Ok(Self { state: OrderState::Confirmed { payment, ships_at: None }, ..order })
        }
    }

    /// Records that parcels have arrived, which must be shipped. The order is delivered with the last of them.
    pub(super) fn deliver(self, parcels: &[ParcelId]) -> Result<Self, InvalidTransition> {
        let is_shipped = |parcel: &Parcel| parcel.status >= ParcelStatus::Shipped;
        let mut named = self.parcel_list();
        named.retain(|parcel| parcels.contains(&parcel.id));
        if !named.iter().all(is_shipped) {
            return Err(InvalidTransition { order: Box::new(self), to: OrderStatus::Delivered });
        }
        let order = self.with_parcels(parcels, ParcelStatus::Delivered);
        let to = OrderStatus::Delivered;
        if order.parcels.fulfilment(to, &order.lines).status() == to {
            order.step(OrderState::Delivered)
        } else {
            Ok(order)
        }
    }

    /// How many pieces of a SKU carriers have, or had.
    pub(super) fn shipped_pieces(&self, sku: &Sku) -> u32 {
        let parcels = self.parcel_list();
        let shipped = parcels.iter().filter(|parcel| parcel.status >= ParcelStatus::Shipped);
        let lines = shipped.flat_map(|parcel| &parcel.lines);
        lines.filter(|line| line.sku == *sku).map(|line| line.quantity.get()).sum()
    }

    /// Takes pieces out of the order, which it still holds. Returns them by warehouse.
    pub(super) fn cancel_pieces(
        mut self,
        sku: &Sku,
        quantity: Quantity,
    ) -> (Self, Vec<CancelledPieces>) {
        for line in self.lines.iter_mut().filter(|line| line.sku == *sku) {
            line.cancelled += quantity.get();
        }
        let pieces = self.parcels.cancel(sku, quantity);
        (self, pieces)
    }

    /// What the pieces are worth that were cancelled or have come back, in minor units.
    pub(crate) fn worth_of_refunds(&self) -> i64 {
        self.costs.as_ref().map_or(0, |costs| worth_of_refunded(costs, &self.lines))
    }

    /// What a refund of the whole payment pays back, beside the parts that are refunded for themselves.
    pub(crate) fn rest_to_refund(&self) -> Option<Money> {
        let total = self.total()?;
        Money::new(total.amount() - self.worth_of_refunds(), total.currency()).ok()
    }

    /// Records that pieces have come back, of each SKU no more than were shipped. The order is returned with the last of them.
    pub(super) fn take_back(mut self, pieces: &[(Sku, u32)]) -> Self {
        for line in &mut self.lines {
            let found = pieces.iter().filter(|(sku, _)| *sku == line.sku);
            line.returned += found.map(|(_, pieces)| pieces).sum::<u32>();
        }
        let to = OrderStatus::Returned;
        if self.fulfilment().status() != to {
            return self;
        }
        match self.step(OrderState::Returned) {
            Ok(order) => Self { parcels: order.parcels.raised_to(to), ..order },
            Err(invalid) => *invalid.order,
        }
    }

    /// Some parcels of several get this status. That of a single one follows from the status of the order.
    fn with_parcels(mut self, which: &[ParcelId], status: ParcelStatus) -> Self {
        if let Parcels::Several(parcels) = &mut self.parcels {
            for parcel in parcels.iter_mut().filter(|parcel| which.contains(&parcel.id)) {
                parcel.status = status;
            }
        }
        self
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
