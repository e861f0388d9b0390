//! The order: what was asked for, and where it stands with what that state knows.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocabulary::{CustomerId, InvalidMoney, Money, OrderId, PaymentId, Sku};

use super::{
    line::{Line, Offer, total},
    process::Terms,
    status::Status,
};

/// An order as its process knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Which.
    pub id: OrderId,
    /// Whose.
    pub customer: CustomerId,
    /// How it is to be paid for.
    pub method: Method,
    /// What is ordered, sorted by SKU, each SKU once.
    pub lines: Vec<Line>,
    /// What it costs; nothing as long as the price of a line is not known.
    pub total: Option<Money>,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// Where it stands.
    pub state: State,
}

/// Where an order stands, and what is known of it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Inventory is to answer.
    Placed {
        /// Until then.
        until: DateTime<Utc>,
    },
    /// It is to be paid for.
    Reserved {
        /// Until then.
        until: DateTime<Utc>,
    },
    /// It is to be shipped.
    Confirmed {
        /// By which payment it is paid.
        payment: PaymentId,
        /// When the built-in carrier takes it.
        ships_at: DateTime<Utc>,
    },
    /// It is on its way.
    Shipped {
        /// When the built-in carrier delivers it; another carrier tells by itself.
        delivers_at: Option<DateTime<Utc>>,
    },
    /// It has arrived.
    Delivered,
    /// Inventory did not have it.
    Rejected(Reason),
    /// The payment was declined.
    PaymentFailed(Reason),
    /// A deadline passed.
    Expired(Reason),
    /// It was called off.
    Cancelled(Reason),
}

impl State {
    /// The state as one word.
    pub const fn status(&self) -> Status {
        match self {
            Self::Placed { .. } => Status::Placed,
            Self::Reserved { .. } => Status::Reserved,
            Self::Confirmed { .. } => Status::Confirmed,
            Self::Shipped { .. } => Status::Shipped,
            Self::Delivered => Status::Delivered,
            Self::Rejected(_) => Status::Rejected,
            Self::PaymentFailed(_) => Status::PaymentFailed,
            Self::Expired(_) => Status::Expired,
            Self::Cancelled(_) => Status::Cancelled,
        }
    }

    /// When the clock is to look at it, if ever.
    pub const fn due(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Placed { until } | Self::Reserved { until } => Some(*until),
            Self::Confirmed { ships_at, .. } => Some(*ships_at),
            Self::Shipped { delivers_at } => *delivers_at,
            Self::Delivered
            | Self::Rejected(_)
            | Self::PaymentFailed(_)
            | Self::Expired(_)
            | Self::Cancelled(_) => None,
        }
    }

    /// Why it ended without being shipped.
    pub const fn reason(&self) -> Option<&Reason> {
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

    /// The payment that is to be given back if the order is called off now.
    pub const fn payment(&self) -> Option<PaymentId> {
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

/// How an order is to be paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The built-in provider approves at once.
    Test,
    /// The built-in provider declines at once.
    TestDecline,
    /// The order waits until the customer pays, or a provider tells.
    Manual,
}

/// A word that is no method of payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a method of payment is one of test, test_decline, manual")]
pub struct UnknownMethod;

impl Method {
    /// As it is written in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::TestDecline => "test_decline",
            Self::Manual => "manual",
        }
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(text: &str) -> Result<Self, UnknownMethod> {
        let found = [Self::Test, Self::TestDecline, Self::Manual]
            .into_iter()
            .find(|method| method.as_str() == text);
        found.ok_or(UnknownMethod)
    }
}

/// Why an order ended without being shipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// For programs, stable.
    #[schema(example = "insufficient_stock")]
    pub code: String,
    /// For people, one sentence.
    pub text: String,
    /// What was missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortages: Vec<Shortage>,
}

impl Reason {
    /// A reason that needs no detail.
    pub fn new(code: &str, text: &str) -> Self {
        Self { code: code.to_owned(), text: text.to_owned(), shortages: Vec::new() }
    }
}

/// A SKU of which there was not enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shortage {
    /// Which.
    pub sku: Sku,
    /// How many were asked for.
    pub requested: i64,
    /// How many there were.
    pub available: i64,
}

/// A transition that the state machine does not have. The order comes back as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {} cannot become {to}", order.status())]
pub struct InvalidTransition {
    /// The order, unchanged.
    pub order: Box<Order>,
    /// What it was to become.
    pub to: Status,
}

impl Order {
    /// Where it stands, as one word.
    pub const fn status(&self) -> Status {
        self.state.status()
    }

    /// Fills in what the catalogue has told meanwhile of SKUs that were unknown when the order was placed.
    pub fn price(&mut self, offer_of: impl Fn(&Sku) -> Option<Offer>) -> Result<(), InvalidMoney> {
        for line in self.lines.iter_mut().filter(|line| line.offer.is_none()) {
            line.offer = offer_of(&line.sku);
        }
        self.total = total(&self.lines)?;
        Ok(())
    }

    /// All of it has been set aside.
    pub fn reserve(self, now: DateTime<Utc>, terms: &Terms) -> Result<Self, InvalidTransition> {
        self.step(State::Reserved { until: now + terms.pay_within })
    }

    /// Inventory does not have it.
    pub fn reject(self, reason: Reason) -> Result<Self, InvalidTransition> {
        self.step(State::Rejected(reason))
    }

    /// It has been paid for.
    pub fn confirm(
        self,
        payment: PaymentId,
        now: DateTime<Utc>,
        terms: &Terms,
    ) -> Result<Self, InvalidTransition> {
        self.step(State::Confirmed { payment, ships_at: now + terms.ship_after })
    }

    /// The payment was declined.
    pub fn fail_payment(self, reason: Reason) -> Result<Self, InvalidTransition> {
        self.step(State::PaymentFailed(reason))
    }

    /// A deadline has passed.
    pub fn expire(self, reason: Reason) -> Result<Self, InvalidTransition> {
        self.step(State::Expired(reason))
    }

    /// It was called off.
    pub fn cancel(self, reason: Reason) -> Result<Self, InvalidTransition> {
        self.step(State::Cancelled(reason))
    }

    /// It has left; `delivers_at` says when, if its carrier will not tell.
    pub fn ship(self, delivers_at: Option<DateTime<Utc>>) -> Result<Self, InvalidTransition> {
        self.step(State::Shipped { delivers_at })
    }

    /// It has arrived.
    pub fn deliver(self) -> Result<Self, InvalidTransition> {
        self.step(State::Delivered)
    }

    /// The one place where a state follows another: only where [`Status::next`] says so.
    fn step(self, state: State) -> Result<Self, InvalidTransition> {
        let to = state.status();
        if self.status().next().contains(&to) {
            Ok(Self { state, ..self })
        } else {
            Err(InvalidTransition { order: Box::new(self), to })
        }
    }
}
