//! The order process: what each thing that happens does to an order, and what is to be written down and said of it.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use vocabulary::{CustomerId, InvalidMoney, OrderId, PaymentId, Quantity, ShipmentId, Sku};

use super::{
    line::{Line, Listing, total},
    order::{InvalidTransition, Method, Order, Reason, State},
    status::Status,
};

/// The name of the built-in carrier.
const BUILT_IN_CARRIER: &str = "built-in";

/// How long the process waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// For inventory's answer.
    pub reserve_within: Duration,
    /// For a payment.
    pub pay_within: Duration,
    /// From the payment until the built-in carrier takes the parcel.
    pub ship_after: Duration,
    /// From there until it delivers it.
    pub deliver_after: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            reserve_within: Duration::from_mins(10),
            pay_within: Duration::from_mins(15),
            ship_after: Duration::from_secs(1),
            deliver_after: Duration::from_secs(5),
        }
    }
}

/// An order that somebody wants to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its id.
    pub id: OrderId,
    /// Whose it is to be.
    pub customer: CustomerId,
    /// What is wanted, sorted by SKU, each SKU once.
    pub wanted: Vec<(Sku, Quantity)>,
    /// How it is to be paid for.
    pub method: Method,
}

/// Why an order is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The catalogue does not sell these any more, or not yet.
    #[error("{} is not for sale", .0.iter().map(Sku::as_str).collect::<Vec<_>>().join(", "))]
    NotForSale(Vec<Sku>),
    /// Its prices cannot be added up.
    #[error(transparent)]
    Total(#[from] InvalidMoney),
}

/// What a provider says of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id here.
    pub id: PaymentId,
    /// Its id at the provider, if that has one.
    pub reference: Option<String>,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The money was taken.
    Approved,
    /// It was not.
    Declined,
}

/// A payment for an order that inventory has not answered for yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the order cannot be paid for before its stock is reserved")]
pub struct PaymentTooEarly;

/// What a carrier took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Its id here.
    pub id: ShipmentId,
    /// Who carries it.
    pub carrier: String,
    /// Its number there.
    pub tracking_number: String,
}

/// An order after something happened, and what happened, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// As it is now.
    pub order: Order,
    /// Whether it stands somewhere else than before.
    pub moved: bool,
    /// What is to be written down and said.
    pub entries: Vec<Entry>,
}

/// One thing that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: DateTime<Utc>,
    /// What the order was after it.
    pub status: Status,
    /// What.
    pub what: Happening,
}

/// What can happen to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// It was placed.
    Placed,
    /// Inventory has set everything aside.
    StockReserved,
    /// Inventory does not have everything.
    StockRejected(Reason),
    /// What inventory had set aside is free again.
    StockReleased,
    /// What inventory had set aside has left.
    StockDeducted,
    /// A payment was approved.
    PaymentApproved(Payment),
    /// A payment was declined.
    PaymentDeclined(Payment),
    /// An approved payment was given back.
    PaymentRefunded(PaymentId),
    /// It is paid.
    Confirmed(PaymentId),
    /// It has left.
    Shipped(Parcel),
    /// It has arrived.
    Delivered,
    /// Inventory did not have it.
    Rejected(Reason),
    /// It was not paid.
    PaymentFailed(Reason),
    /// A deadline passed.
    Expired(Reason),
    /// It was called off.
    Cancelled(Reason),
}

impl Taken {
    /// An order to which nothing has happened yet.
    fn begin(order: Order) -> Self {
        Self { order, moved: false, entries: Vec::new() }
    }

    /// An order that has just taken a step.
    fn after_step(order: Order) -> Self {
        Self { order, moved: true, entries: Vec::new() }
    }

    /// Writes down what happened; the order is already what it is after it.
    fn note(mut self, at: DateTime<Utc>, what: Happening) -> Self {
        self.entries.push(Entry { at, status: self.order.status(), what });
        self
    }

    /// Takes a step if the state machine has it, and says whether it was taken.
    fn step(self, take: impl FnOnce(Order) -> Result<Order, InvalidTransition>) -> (Self, bool) {
        match take(self.order) {
            Ok(order) => (Self { order, moved: true, ..self }, true),
            Err(invalid) => (Self { order: *invalid.order, ..self }, false),
        }
    }
}

/// A new order, at the prices of `listings`; a SKU that is not among them is not known yet.
pub fn place(
    draft: Draft,
    listings: &HashMap<Sku, Listing>,
    now: DateTime<Utc>,
    terms: &Terms,
) -> Result<Taken, Refused> {
    let mut not_for_sale = Vec::new();
    let mut lines = Vec::with_capacity(draft.wanted.len());
    for (sku, quantity) in draft.wanted {
        let offer = match listings.get(&sku) {
            Some(Listing::ForSale(offer)) => Some(offer.clone()),
            Some(Listing::NotForSale(_)) => {
                not_for_sale.push(sku);
                continue;
            }
            None => None,
        };
        lines.push(Line { sku, quantity, offer });
    }
    if !not_for_sale.is_empty() {
        return Err(Refused::NotForSale(not_for_sale));
    }
    let order = Order {
        id: draft.id,
        customer: draft.customer,
        method: draft.method,
        total: total(&lines)?,
        lines,
        placed_at: now,
        state: State::Placed { until: now + terms.reserve_within },
    };
    Ok(Taken::after_step(order).note(now, Happening::Placed))
}

/// Inventory has set everything aside, at `at`. An order that waits for it goes on, and where the built-in provider pays,
/// it is paid at once, by the payment `payment`. An order whose total is still not known is called off: nobody could pay
/// for it. For an order that is over by now it is only written down: inventory hears of that from the event that said so.
pub fn stock_reserved(
    order: Order,
    at: DateTime<Utc>,
    payment: PaymentId,
    now: DateTime<Utc>,
    terms: &Terms,
) -> Taken {
    if order.total.is_none() {
        let reason = Reason::new("unknown_sku", "The catalogue does not know a SKU of the order.");
        return unpriceable(order, reason, at, now);
    }
    let (taken, reserved) = Taken::begin(order).step(|order| order.reserve(now, terms));
    let taken = taken.note(at, Happening::StockReserved);
    let verdict = match taken.order.method {
        Method::Test => Verdict::Approved,
        Method::TestDecline => Verdict::Declined,
        Method::Manual => return taken,
    };
    if !reserved {
        return taken;
    }
    settle(taken, Payment { id: payment, reference: None, verdict }, now, terms)
}

/// Inventory does not have everything, for `reason`, as it said at `at`.
pub fn stock_rejected(
    order: Order,
    reason: Reason,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Taken {
    let (taken, rejected) = Taken::begin(order)
        .note(at, Happening::StockRejected(reason.clone()))
        .step(|order| order.reject(reason.clone()));
    if rejected { taken.note(now, Happening::Rejected(reason)) } else { taken }
}

/// What inventory had set aside is free again.
pub fn stock_released(order: Order, at: DateTime<Utc>) -> Taken {
    Taken::begin(order).note(at, Happening::StockReleased)
}

/// What inventory had set aside has left.
pub fn stock_deducted(order: Order, at: DateTime<Utc>) -> Taken {
    Taken::begin(order).note(at, Happening::StockDeducted)
}

/// Inventory has set everything aside, at `at`, but what the order costs cannot be told, for `reason`: it is called off,
/// unless it has gone on or ended meanwhile.
pub fn unpriceable(order: Order, reason: Reason, at: DateTime<Utc>, now: DateTime<Utc>) -> Taken {
    let waits = order.status() == Status::Placed;
    let taken = Taken::begin(order).note(at, Happening::StockReserved);
    if !waits {
        return taken;
    }
    let (taken, cancelled) = taken.step(|order| order.cancel(reason.clone()));
    if cancelled { taken.note(now, Happening::Cancelled(reason)) } else { taken }
}

/// A provider tells of a payment. It moves an order that waits for it; where there is nothing to pay for any more, it is
/// written down, and given back if it was approved.
pub fn pay(
    order: Order,
    payment: Payment,
    now: DateTime<Utc>,
    terms: &Terms,
) -> Result<Taken, PaymentTooEarly> {
    if order.status() == Status::Placed {
        return Err(PaymentTooEarly);
    }
    Ok(settle(Taken::begin(order), payment, now, terms))
}

fn settle(taken: Taken, payment: Payment, now: DateTime<Utc>, terms: &Terms) -> Taken {
    let id = payment.id;
    match payment.verdict {
        Verdict::Approved => {
            let (taken, confirmed) = taken
                .note(now, Happening::PaymentApproved(payment))
                .step(|order| order.confirm(id, now, terms));
            taken.note(
                now,
                if confirmed { Happening::Confirmed(id) } else { Happening::PaymentRefunded(id) },
            )
        }
        Verdict::Declined => {
            let reason = Reason::new("payment_declined", "The payment was declined.");
            let (taken, failed) = taken
                .note(now, Happening::PaymentDeclined(payment))
                .step(|order| order.fail_payment(reason.clone()));
            if failed { taken.note(now, Happening::PaymentFailed(reason)) } else { taken }
        }
    }
}

/// Calls an order off, and gives back what was paid for it.
pub fn cancel(
    order: Order,
    reason: Reason,
    now: DateTime<Utc>,
) -> Result<Taken, InvalidTransition> {
    let paid = order.state.payment();
    let order = order.cancel(reason.clone())?;
    let taken = Taken::after_step(order).note(now, Happening::Cancelled(reason));
    Ok(match paid {
        Some(payment) => taken.note(now, Happening::PaymentRefunded(payment)),
        None => taken,
    })
}

/// A carrier has taken the parcel, and will tell when it has delivered it.
pub fn ship(order: Order, parcel: Parcel, now: DateTime<Utc>) -> Result<Taken, InvalidTransition> {
    Ok(Taken::after_step(order.ship(None)?).note(now, Happening::Shipped(parcel)))
}

/// A carrier has delivered the parcel.
pub fn deliver(order: Order, now: DateTime<Utc>) -> Result<Taken, InvalidTransition> {
    Ok(Taken::after_step(order.deliver()?).note(now, Happening::Delivered))
}

/// What the clock does to an order at `now`: nothing if its deadline has not come. `shipment` names the parcel, if it is
/// the built-in carrier's turn.
pub fn due(order: Order, shipment: ShipmentId, now: DateTime<Utc>, terms: &Terms) -> Option<Taken> {
    if order.state.due()? > now {
        return None;
    }
    match order.status() {
        Status::Placed => expire(order, "no_answer", "The stock was not reserved in time.", now),
        Status::Reserved => {
            expire(order, "payment_timeout", "The order was not paid in time.", now)
        }
        Status::Confirmed => {
            let order = order.ship(Some(now + terms.deliver_after)).ok()?;
            let parcel = built_in_parcel(shipment);
            Some(Taken::after_step(order).note(now, Happening::Shipped(parcel)))
        }
        Status::Shipped => deliver(order, now).ok(),
        Status::Delivered
        | Status::Rejected
        | Status::PaymentFailed
        | Status::Expired
        | Status::Cancelled => None,
    }
}

fn expire(order: Order, code: &str, text: &str, now: DateTime<Utc>) -> Option<Taken> {
    let reason = Reason::new(code, text);
    let order = order.expire(reason.clone()).ok()?;
    Some(Taken::after_step(order).note(now, Happening::Expired(reason)))
}

/// A parcel of the built-in carrier, which numbers parcels as we do.
fn built_in_parcel(id: ShipmentId) -> Parcel {
    let tracking_number = id.as_uuid().simple().to_string().to_ascii_uppercase();
    Parcel { id, carrier: BUILT_IN_CARRIER.to_owned(), tracking_number }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use vocabulary::{
        Currency, CustomerId, Localized, Money, OrderId, PaymentId, ProductId, Quantity,
        ShipmentId, Sku,
    };

    use super::{
        Draft, Entry, Happening, Parcel, Payment, Refused, Taken, Terms, Verdict, cancel, deliver,
        due, pay, place, ship, stock_deducted, stock_rejected, stock_released, stock_reserved,
        unpriceable,
    };
    use crate::domain::{Listing, Method, Offer, Order, Reason, Status};

    fn at(second: u32) -> chrono::DateTime<chrono::Utc> {
        chrono::DateTime::UNIX_EPOCH + std::time::Duration::from_secs(second.into())
    }

    fn draft(skus: &[&str], method: Method) -> Draft {
        let one = Quantity::new(1).unwrap();
        let wanted = skus.iter().map(|sku| (sku.parse().unwrap(), one)).collect();
        Draft { id: OrderId::new(), customer: CustomerId::new(), wanted, method }
    }

    fn offer(amount: i64, currency: Currency) -> Offer {
        let price = Money::new(amount, currency).unwrap();
        Offer { product: ProductId::new(), price, title: Localized::default() }
    }

    fn listings() -> HashMap<Sku, Listing> {
        HashMap::from([
            ("A".parse().unwrap(), Listing::ForSale(offer(100, Currency::CNY))),
            ("EURO".parse().unwrap(), Listing::ForSale(offer(100, Currency::EUR))),
            ("GONE".parse().unwrap(), Listing::NotForSale(offer(100, Currency::CNY))),
        ])
    }

    fn placed(method: Method) -> Taken {
        place(draft(&["A"], method), &listings(), at(0), &Terms::default()).unwrap()
    }

    #[test]
    fn an_order_is_priced_from_the_copy_or_refused() {
        let taken =
            |skus: &[&str]| place(draft(skus, Method::Test), &listings(), at(0), &Terms::default());
        assert_eq!(taken(&["A"]).unwrap().order.total.map(Money::amount), Some(100));
        assert_eq!(taken(&["A", "UNHEARD"]).unwrap().order.total, None);
        assert_eq!(taken(&["A", "GONE"]), Err(Refused::NotForSale(vec!["GONE".parse().unwrap()])));
        assert!(matches!(taken(&["A", "EURO"]), Err(Refused::Total(_))));
    }

    #[test]
    fn the_built_in_provider_pays_at_once() {
        let (payment, terms) = (PaymentId::new(), Terms::default());
        let order = placed(Method::Test).order;
        let taken = stock_reserved(order, at(1), payment, at(1), &terms);
        assert_eq!(taken.order.status(), Status::Confirmed);
        let statuses: Vec<Status> = taken.entries.iter().map(|entry| entry.status).collect();
        assert_eq!(statuses, [Status::Reserved, Status::Reserved, Status::Confirmed]);
        let declined =
            stock_reserved(placed(Method::TestDecline).order, at(1), payment, at(1), &terms);
        assert_eq!(declined.order.status(), Status::PaymentFailed);
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let terms = Terms::default();
        let order = placed(Method::Manual).order;
        assert_eq!(due(order.clone(), ShipmentId::new(), at(599), &terms), None);
        let expired = due(order, ShipmentId::new(), at(600), &terms).unwrap().order;
        assert_eq!(expired.status(), Status::Expired);
        assert_eq!(due(expired, ShipmentId::new(), at(100_000), &terms), None);
    }

    /// Something that may happen to an order, at any time and in any order.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        Reserved,
        Rejected,
        Released,
        Deducted,
        Unpriceable,
        Approved,
        Declined,
        Cancelled,
        ShippedByCarrier,
        DeliveredByCarrier,
        TimePasses(u32),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            3 => Just(Event::Reserved),
            1 => Just(Event::Rejected),
            1 => Just(Event::Released),
            1 => Just(Event::Deducted),
            1 => Just(Event::Unpriceable),
            3 => Just(Event::Approved),
            1 => Just(Event::Declined),
            2 => Just(Event::Cancelled),
            2 => Just(Event::ShippedByCarrier),
            2 => Just(Event::DeliveredByCarrier),
            3 => (0_u32..1_200).prop_map(Event::TimePasses),
        ]
    }

    /// Lets `event` happen at second `now`, and answers the order after it with what is written down of it.
    fn happen(order: Order, event: Event, now: u32) -> (Order, Vec<Entry>) {
        let (now, terms, reason) = (at(now), Terms::default(), Reason::new("code", "text"));
        let before = order.clone();
        let pays = |verdict| Payment { id: PaymentId::new(), reference: None, verdict };
        let parcel =
            Parcel { id: ShipmentId::new(), carrier: "c".into(), tracking_number: "t".into() };
        let taken = match event {
            Event::Reserved => Some(stock_reserved(order, now, PaymentId::new(), now, &terms)),
            Event::Rejected => Some(stock_rejected(order, reason, now, now)),
            Event::Released => Some(stock_released(order, now)),
            Event::Deducted => Some(stock_deducted(order, now)),
            Event::Unpriceable => Some(unpriceable(order, reason, now, now)),
            Event::Approved => pay(order, pays(Verdict::Approved), now, &terms).ok(),
            Event::Declined => pay(order, pays(Verdict::Declined), now, &terms).ok(),
            Event::Cancelled => cancel(order, reason, now).ok(),
            Event::ShippedByCarrier => ship(order, parcel, now).ok(),
            Event::DeliveredByCarrier => deliver(order, now).ok(),
            Event::TimePasses(_) => due(order, ShipmentId::new(), now, &terms),
        };
        taken.map_or((before, Vec::new()), |taken| (taken.order, taken.entries))
    }

    const fn outcome(what: &Happening) -> Option<Status> {
        match what {
            Happening::Delivered => Some(Status::Delivered),
            Happening::Rejected(_) => Some(Status::Rejected),
            Happening::PaymentFailed(_) => Some(Status::PaymentFailed),
            Happening::Expired(_) => Some(Status::Expired),
            Happening::Cancelled(_) => Some(Status::Cancelled),
            Happening::Placed
            | Happening::StockReserved
            | Happening::StockRejected(_)
            | Happening::StockReleased
            | Happening::StockDeducted
            | Happening::PaymentApproved(_)
            | Happening::PaymentDeclined(_)
            | Happening::PaymentRefunded(_)
            | Happening::Confirmed(_)
            | Happening::Shipped(_) => None,
        }
    }

    proptest! {
        /// Whatever happens in whatever order: an order has one outcome and never a second; each approved payment is either
        /// the one that paid for a living order or was given back, once; and what was shipped was paid for.
        #[test]
        fn an_order_has_one_outcome_and_every_way_out_compensates_once(
            method in prop_oneof![Just(Method::Test), Just(Method::TestDecline), Just(Method::Manual)],
            events in prop::collection::vec(event(), 0..40),
        ) {
            let Taken { mut order, mut entries, .. } = placed(method);
            let mut now = 0;
            for event in events {
                if let Event::TimePasses(seconds) = event {
                    now += seconds;
                }
                let before = order.status();
                let (after, more) = happen(order, event, now);
                let moved = after.status();
                prop_assert!(moved == before || before.may_become(moved), "{before} became {moved}");
                prop_assert_eq!(more.last().map_or(moved, |entry| entry.status), moved);
                order = after;
                entries.extend(more);
            }
            let outcomes: Vec<Status> = entries.iter().filter_map(|entry| outcome(&entry.what)).collect();
            if order.status().is_final() {
                prop_assert_eq!(&outcomes, &[order.status()]);
            } else {
                prop_assert!(outcomes.is_empty());
            }
            let count = |is: &dyn Fn(&Happening) -> bool| entries.iter().filter(|entry| is(&entry.what)).count();
            let mut paying = None;
            for entry in &entries {
                if let Happening::PaymentApproved(payment) = &entry.what {
                    let id = payment.id;
                    let confirmed = count(&|what| *what == Happening::Confirmed(id));
                    let refunded = count(&|what| *what == Happening::PaymentRefunded(id));
                    prop_assert!(refunded <= 1 && confirmed <= 1 && refunded + confirmed >= 1);
                    if refunded == 0 {
                        prop_assert_eq!(paying.replace(id), None, "two payments were kept");
                    }
                }
            }
            let paid_for = [Status::Confirmed, Status::Shipped, Status::Delivered].contains(&order.status());
            prop_assert_eq!(paying.is_some(), paid_for);
            let shipped = count(&|what| matches!(what, Happening::Shipped(_)));
            prop_assert_eq!(shipped, usize::from([Status::Shipped, Status::Delivered].contains(&order.status())));
        }
    }
}
