//! The order process: how each command, event and deadline changes an order.

use chrono::{DateTime, Utc};
use vocabulary::{CustomerId, OrderId, ParcelId, PaymentId, ShipmentId};

use super::{
    costs::Costs,
    deadlines::ProcessDeadlines,
    line::OrderLine,
    lost_order::lost_reason,
    order::{EndReason, HoldNotExtendable, InvalidTransition, Order, OrderState},
    parcel::Parcels,
    parcel_status::ParcelStatus,
    payment::{Payment, PaymentMethod, PaymentOutcome, PaymentTooEarly},
    place_order_error::PlaceOrderError,
    shipment::Shipment,
    shown_prices::ShownPrices,
    status::OrderStatus,
    transition::{OrderEventKind, Transition},
};

/// An order that is not placed yet.
#[derive(Debug, Clone)]
pub(crate) struct NewOrder {
    pub(crate) id: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) method: PaymentMethod,
    pub(crate) lines: Vec<OrderLine>,
    /// `None` while the price of a line is unknown.
    pub(crate) costs: Option<Costs>,
}

/// Places a new order, unless the prices that the customer was shown no longer hold.
pub(crate) fn place(
    new: NewOrder,
    shown: &ShownPrices,
    now: DateTime<Utc>,
    deadlines: &ProcessDeadlines,
) -> Result<Transition, PlaceOrderError> {
    let NewOrder { id, customer, method, lines, costs } = new;
    if let Some(change) = shown.compare(&lines, costs.as_ref().map(Costs::total)) {
        return Err(PlaceOrderError::PriceChanged(Box::new(change)));
    }
    let order = Order {
        id,
        customer,
        method,
        lines,
        costs,
        placed_at: now,
        parcels: Parcels::One { warehouse: None },
        state: OrderState::Placed { expires_at: now + deadlines.reserve_timeout },
    };
    Ok(Transition::changed(order).with_event(now, OrderEventKind::Placed(None)))
}

/// What inventory has reserved for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StockReservation {
    pub(crate) reserved_at: DateTime<Utc>,
    /// How many pieces of the scarcest SKU are still available, if inventory tells.
    pub(crate) left: Option<i64>,
    pub(crate) parcels: Parcels,
}

/// Inventory reserved the stock. A placed order becomes reserved; the built-in provider settles it at once with payment `payment`. A
/// placed order without a total is cancelled. An order that has ended only gets the event: inventory releases the stock because of the
/// event that ended the order.
pub(crate) fn confirm_reservation(
    order: Order,
    reservation: StockReservation,
    payment: PaymentId,
    now: DateTime<Utc>,
    deadlines: &ProcessDeadlines,
) -> Transition {
    let StockReservation { reserved_at, left, parcels } = reservation;
    if order.total().is_none() {
        let reason =
            EndReason::new("unknown_sku", "The catalogue does not know a SKU of the order.");
        return cancel_unpriced(order, reason, reserved_at, now);
    }
    let (transition, reserved) = Transition::unchanged(order)
        .try_step(|order| order.reserve(parcels, now, deadlines.hold(left)));
    let transition = transition.with_event(reserved_at, OrderEventKind::StockReserved);
    let outcome = match transition.order.method {
        PaymentMethod::Test => PaymentOutcome::Approved,
        PaymentMethod::TestDecline => PaymentOutcome::Declined,
        PaymentMethod::Manual => return transition,
    };
    if !reserved {
        return transition;
    }
    let payment = Payment { id: payment, reference: None, outcome, amount: None };
    settle(transition, payment, now, deadlines)
}

/// Inventory could not reserve the stock, as it reported at `rejected_at`.
pub(crate) fn reject(
    order: Order,
    reason: EndReason,
    rejected_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Transition {
    let (transition, rejected) = Transition::unchanged(order)
        .with_event(rejected_at, OrderEventKind::StockRejected(reason.clone()))
        .try_step(|order| order.reject(reason.clone()));
    if rejected { transition.with_event(now, OrderEventKind::Rejected(reason)) } else { transition }
}

/// Inventory released the reserved stock, because the order had ended. An order that is still open was ended by a commit that was lost:
/// it is cancelled.
pub(crate) fn record_stock_released(
    order: Order,
    released_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Transition {
    let payment = order.state.payment();
    let (transition, cancelled) = Transition::unchanged(order)
        .with_event(released_at, OrderEventKind::StockReleased)
        .try_step(|order| order.cancel(lost_reason()));
    if !cancelled {
        return transition;
    }
    let transition = transition.with_event(now, OrderEventKind::Cancelled(lost_reason()));
    match payment {
        Some(payment) => transition.with_event(now, OrderEventKind::PaymentRefunded(payment)),
        None => transition,
    }
}

/// The reserved stock left the warehouse.
pub(crate) fn record_stock_deducted(order: Order, deducted_at: DateTime<Utc>) -> Transition {
    Transition::unchanged(order).with_event(deducted_at, OrderEventKind::StockDeducted)
}

/// Inventory reserved the stock at `reserved_at`, but the order has no total. A placed order is cancelled.
pub(crate) fn cancel_unpriced(
    order: Order,
    reason: EndReason,
    reserved_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Transition {
    let is_placed = order.status() == OrderStatus::Placed;
    let transition =
        Transition::unchanged(order).with_event(reserved_at, OrderEventKind::StockReserved);
    if !is_placed {
        return transition;
    }
    let (transition, cancelled) = transition.try_step(|order| order.cancel(reason.clone()));
    if cancelled {
        transition.with_event(now, OrderEventKind::Cancelled(reason))
    } else {
        transition
    }
}

/// Records a payment. It settles a reserved order. In any other status an approved payment is refunded. An approved
/// payment of another amount than the total settles nothing: it waits for an operator.
pub(crate) fn record_payment(
    order: Order,
    payment: Payment,
    now: DateTime<Utc>,
    deadlines: &ProcessDeadlines,
) -> Result<Transition, PaymentTooEarly> {
    if order.status() == OrderStatus::Placed {
        return Err(PaymentTooEarly);
    }
    Ok(settle(Transition::unchanged(order), payment, now, deadlines))
}

fn settle(
    transition: Transition,
    payment: Payment,
    now: DateTime<Utc>,
    deadlines: &ProcessDeadlines,
) -> Transition {
    let id = payment.id;
    match payment.outcome {
        PaymentOutcome::Approved if payment.differs_from(transition.order.total()) => {
            transition.with_event(now, OrderEventKind::PaymentMismatched(payment))
        }
        PaymentOutcome::Approved => {
            let (transition, confirmed) = transition
                .with_event(now, OrderEventKind::PaymentApproved(payment))
                .try_step(|order| order.confirm(id, now, deadlines));
            let kind = if confirmed {
                OrderEventKind::Confirmed(id)
            } else {
                OrderEventKind::PaymentRefunded(id)
            };
            transition.with_event(now, kind)
        }
        PaymentOutcome::Declined => {
            let reason = EndReason::new("payment_declined", "The payment was declined.");
            let (transition, failed) = transition
                .with_event(now, OrderEventKind::PaymentDeclined(payment))
                .try_step(|order| order.fail_payment(reason.clone()));
            if failed {
                transition.with_event(now, OrderEventKind::PaymentFailed(reason))
            } else {
                transition
            }
        }
    }
}

/// The payment provider has paid back a payment.
pub(crate) fn record_refund(order: Order, payment: PaymentId, now: DateTime<Utc>) -> Transition {
    Transition::unchanged(order).with_event(now, OrderEventKind::PaymentRefunded(payment))
}

/// Cancels an order and refunds its payment.
pub(crate) fn cancel(
    order: Order,
    reason: EndReason,
    now: DateTime<Utc>,
) -> Result<Transition, InvalidTransition> {
    let payment = order.state.payment();
    let order = order.cancel(reason.clone())?;
    let transition = Transition::changed(order).with_event(now, OrderEventKind::Cancelled(reason));
    Ok(match payment {
        Some(payment) => transition.with_event(now, OrderEventKind::PaymentRefunded(payment)),
        None => transition,
    })
}

/// Holds the stock of a reserved order for longer.
pub(crate) fn extend_hold(
    order: Order,
    now: DateTime<Utc>,
    deadlines: &ProcessDeadlines,
) -> Result<Transition, HoldNotExtendable> {
    let order = order.extend_hold(deadlines.payment_timeout)?;
    Ok(Transition::changed(order).with_event(now, OrderEventKind::HoldExtended))
}

/// Why a carrier's report about a parcel is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParcelRefused {
    #[error("the order has no such parcel")]
    UnknownParcel,
    #[error(transparent)]
    InvalidTransition(#[from] InvalidTransition),
}

/// Records that a carrier has a parcel, or all that are pending; it reports the delivery itself. What was shipped before stays as it is.
pub(crate) fn ship(
    order: Order,
    parcel: Option<ParcelId>,
    new_shipment: impl FnMut() -> Shipment,
    now: DateTime<Utc>,
) -> Result<Transition, ParcelRefused> {
    let pending = with_status_below(&order, parcel, ParcelStatus::Shipped)?;
    if pending.is_empty() {
        return Ok(Transition::unchanged(order));
    }
    Ok(hand_over(order, &pending, None, new_shipment, now)?)
}

/// Records that a shipped parcel has arrived, or all of them.
pub(crate) fn deliver(
    order: Order,
    parcel: Option<ParcelId>,
    now: DateTime<Utc>,
) -> Result<Transition, ParcelRefused> {
    let shipped = with_status_below(&order, parcel, ParcelStatus::Delivered)?;
    if shipped.is_empty() {
        return Ok(Transition::unchanged(order));
    }
    let mut transition = Transition::changed(order.deliver(&shipped)?);
    if let Parcels::Several(_) = transition.order.parcels {
        for parcel in shipped {
            transition = transition.with_event(now, OrderEventKind::ParcelDelivered(parcel));
        }
    }
    Ok(if transition.order.status() == OrderStatus::Delivered {
        transition.with_event(now, OrderEventKind::Delivered)
    } else {
        transition
    })
}

/// The parcels that are not as far as `status`: of all, or of the named one.
fn with_status_below(
    order: &Order,
    named: Option<ParcelId>,
    status: ParcelStatus,
) -> Result<Vec<ParcelId>, ParcelRefused> {
    let mut parcels = order.parcel_list();
    if let Some(named) = named {
        parcels.retain(|parcel| parcel.id == named);
        if parcels.is_empty() {
            return Err(ParcelRefused::UnknownParcel);
        }
    }
    parcels.retain(|parcel| parcel.status < status);
    Ok(parcels.into_iter().map(|parcel| parcel.id).collect())
}

/// Hands pending parcels to a carrier, each as a shipment of its own.
fn hand_over(
    order: Order,
    parcels: &[ParcelId],
    delivers_at: Option<DateTime<Utc>>,
    mut new_shipment: impl FnMut() -> Shipment,
    now: DateTime<Utc>,
) -> Result<Transition, InvalidTransition> {
    let mut transition = Transition::changed(order.ship(parcels, delivers_at)?);
    let is_one = matches!(transition.order.parcels, Parcels::One { .. });
    let mut last = None;
    for parcel in parcels {
        let shipment = new_shipment();
        if !is_one {
            let kind = OrderEventKind::ParcelShipped(*parcel, shipment.clone());
            transition = transition.with_event(now, kind);
        }
        last = Some(shipment);
    }
    let is_shipped = transition.order.status() == OrderStatus::Shipped;
    Ok(match last.filter(|_| is_shipped) {
        Some(shipment) => transition.with_event(now, OrderEventKind::Shipped(shipment)),
        None => transition,
    })
}

/// Applies the deadline of an order; `None` before the deadline. Each shipment by the built-in carrier gets a new id.
pub(crate) fn apply_deadline(
    order: Order,
    mut new_id: impl FnMut() -> ShipmentId,
    now: DateTime<Utc>,
    deadlines: &ProcessDeadlines,
) -> Option<Transition> {
    if order.state.deadline()? > now {
        return None;
    }
    match order.status() {
        OrderStatus::Placed => {
            expire(order, "no_answer", "The stock was not reserved in time.", now)
        }
        OrderStatus::Reserved => {
            expire(order, "payment_timeout", "The order was not paid in time.", now)
        }
        OrderStatus::Confirmed => {
            if deadlines.ship_after.is_none() {
                return Some(Transition::changed(order.without_deadline()));
            }
            let pending = with_status_below(&order, None, ParcelStatus::Shipped).ok()?;
            let delivers_at = Some(now + deadlines.deliver_after);
            hand_over(order, &pending, delivers_at, || Shipment::built_in(new_id()), now).ok()
        }
        OrderStatus::Shipped => deliver(order, None, now).ok(),
        OrderStatus::Delivered
        | OrderStatus::Returned
        | OrderStatus::Rejected
        | OrderStatus::PaymentFailed
        | OrderStatus::Expired
        | OrderStatus::Cancelled => None,
    }
}

fn expire(order: Order, code: &str, text: &str, now: DateTime<Utc>) -> Option<Transition> {
    let reason = EndReason::new(code, text);
    let order = order.expire(reason.clone()).ok()?;
    Some(Transition::changed(order).with_event(now, OrderEventKind::Expired(reason)))
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, HashMap},
        time::Duration,
    };

    use chrono::{DateTime, Utc};
    use proptest::prelude::*;
    use vocabulary::{
        Currency, CustomerId, Money, OrderId, ParcelId, PaymentId, PromotionId, Quantity, RefundId,
        ReturnId, ShipmentId, Sku, WarehouseId,
    };

    use super::{
        NewOrder, ParcelRefused, StockReservation, apply_deadline, cancel, cancel_unpriced,
        confirm_reservation, deliver, extend_hold, place, record_payment, record_stock_deducted,
        record_stock_released, reject, ship,
    };
    use crate::domain::{
        Allocation, CancelledLine, CatalogListing, EndReason, Fulfilment, HoldNotExtendable,
        NewReturn, NotForSale, Offer, Order, OrderEvent, OrderEventKind, OrderReturn, OrderStatus,
        ParcelStatus, Parcels, PartRefund, Payment, PaymentMethod, PaymentOutcome, PlaceOrderError,
        ProcessDeadlines, ReceivedLine, ReturnDecision, ReturnReason, ReturnReceipt, ReturnRefusal,
        ReturnState, ReturnTerms, Shipment, ShownPrices, Transition, cancel_line,
        costs::{Costs, Discount, DiscountedPart, LineShare},
        line::total,
        lost_reason, price_lines, receive_return, record_part_refund, refuse_return,
        request_return,
    };

    fn at(second: u32) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::from_secs(second.into())
    }

    fn offer(amount: i64, currency: Currency) -> Offer {
        Offer::priced(Money::new(amount, currency).unwrap())
    }

    fn listings() -> HashMap<Sku, CatalogListing> {
        HashMap::from([
            ("A".parse().unwrap(), CatalogListing::ForSale(offer(100, Currency::CNY))),
            ("EURO".parse().unwrap(), CatalogListing::ForSale(offer(100, Currency::EUR))),
            ("GONE".parse().unwrap(), CatalogListing::NotForSale(offer(100, Currency::CNY))),
        ])
    }

    fn place_skus(skus: &[&str], method: PaymentMethod) -> Result<Transition, PlaceOrderError> {
        let one = Quantity::new(1).unwrap();
        let quantities: Vec<_> = skus.iter().map(|sku| (sku.parse().unwrap(), one)).collect();
        let lines = price_lines(&quantities, &listings())?;
        let deadlines = ProcessDeadlines::default();
        let costs = total(&lines)?.map(Costs::of_goods);
        let (id, customer) = (OrderId::new(), CustomerId::new());
        let new = NewOrder { id, customer, method, lines, costs };
        place(new, &ShownPrices::default(), at(0), &deadlines)
    }

    /// A reservation at this second that is not split.
    fn whole(second: u32, left: Option<i64>) -> StockReservation {
        let parcels = Parcels::One { warehouse: None };
        StockReservation { reserved_at: at(second), left, parcels }
    }

    /// A reservation of `quantity` pieces of `A` that takes these from each warehouse.
    fn split(order: &Order, parts: &[u32]) -> StockReservation {
        let allocations: Vec<Allocation> = parts
            .iter()
            .map(|part| Allocation {
                sku: "A".parse().unwrap(),
                warehouse: WarehouseId::new(),
                quantity: Quantity::new(*part).unwrap(),
            })
            .collect();
        let parcels = Parcels::of(&order.lines, &allocations, ParcelId::new);
        StockReservation { parcels, ..whole(1, None) }
    }

    fn shipment() -> Shipment {
        Shipment { id: ShipmentId::new(), carrier: "c".into(), tracking_number: "t".into() }
    }

    /// A paid order for six pieces of `A`, from warehouses with these.
    fn confirmed(parts: &[u32]) -> Order {
        let mut order = placed(PaymentMethod::Test).order;
        order.lines[0].quantity = Quantity::new(6).unwrap();
        let reservation = split(&order, parts);
        let deadlines = ProcessDeadlines::default();
        confirm_reservation(order, reservation, PaymentId::new(), at(1), &deadlines).order
    }

    #[test]
    fn parcels_follow_the_warehouses_of_all_lines() {
        let order = placed(PaymentMethod::Test).order;
        assert!(matches!(split(&order, &[]).parcels, Parcels::One { warehouse: None }));
        assert!(matches!(split(&order, &[1]).parcels, Parcels::One { warehouse: Some(_) }));
        // Inventory tells something else than the lines.
        assert!(matches!(split(&order, &[1, 1]).parcels, Parcels::One { warehouse: None }));
        let order = confirmed(&[1, 2, 3]);
        let parcels = order.parcel_list();
        let pieces: Vec<u32> =
            parcels.iter().map(|parcel| parcel.lines[0].quantity.get()).collect();
        assert_eq!(pieces, [1, 2, 3]);
        let [only] = &*confirmed(&[6]).parcel_list() else { unreachable!() };
        assert_eq!((only.lines[0].quantity.get(), only.status), (6, ParcelStatus::Pending));
    }

    #[test]
    fn parcels_ship_and_arrive_one_after_the_other() {
        let order = confirmed(&[2, 4]);
        let ids: Vec<ParcelId> = order.parcel_list().iter().map(|parcel| parcel.id).collect();
        let kinds = |transition: &Transition| -> Vec<OrderEventKind> {
            transition.events.iter().map(|event| event.kind.clone()).collect()
        };
        let first = ship(order, Some(ids[1]), shipment, at(2)).unwrap();
        assert!(matches!(&*kinds(&first), [OrderEventKind::ParcelShipped(id, _)] if *id == ids[1]));
        let order = first.order;
        assert_eq!(
            (order.status(), order.fulfilment()),
            (OrderStatus::Confirmed, Fulfilment::PartlyShipped)
        );
        // The built-in carrier leaves the rest to the other one, and the order cannot be cancelled any more.
        assert_eq!(order.state.deadline(), None);
        let refused = cancel(order.clone(), EndReason::new("c", "t"), at(3)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "an order that is confirmed and partly shipped cannot become cancelled"
        );
        let again = ship(order.clone(), Some(ids[1]), shipment, at(3)).unwrap();
        assert_eq!((again.changed, again.events.len()), (false, 0));
        let unknown = ship(order.clone(), Some(ParcelId::new()), shipment, at(3)).unwrap_err();
        assert_eq!(unknown, ParcelRefused::UnknownParcel);
        for parcel in [Some(ids[0]), None] {
            let early = deliver(order.clone(), parcel, at(3)).unwrap_err();
            assert!(matches!(early, ParcelRefused::InvalidTransition(_)), "{early}");
        }
        let arrived = deliver(order, Some(ids[1]), at(4)).unwrap();
        assert_eq!(kinds(&arrived), [OrderEventKind::ParcelDelivered(ids[1])]);
        assert_eq!(arrived.order.fulfilment(), Fulfilment::PartlyShipped);
        let last = ship(arrived.order, None, shipment, at(5)).unwrap();
        assert!(matches!(
            &*kinds(&last),
            [OrderEventKind::ParcelShipped(id, _), OrderEventKind::Shipped(_)] if *id == ids[0]
        ));
        assert_eq!(
            (last.order.status(), last.order.fulfilment()),
            (OrderStatus::Shipped, Fulfilment::PartlyDelivered)
        );
        let end = deliver(last.order, None, at(6)).unwrap();
        assert_eq!(
            kinds(&end),
            [OrderEventKind::ParcelDelivered(ids[0]), OrderEventKind::Delivered]
        );
        assert_eq!(
            (end.order.status(), end.order.fulfilment()),
            (OrderStatus::Delivered, Fulfilment::Delivered)
        );
    }

    #[test]
    fn the_built_in_carrier_ships_all_parcels_or_none() {
        let deadlines = ProcessDeadlines::default();
        let shipped =
            apply_deadline(confirmed(&[2, 4]), ShipmentId::new, at(2), &deadlines).unwrap();
        assert_eq!((shipped.order.status(), shipped.events.len()), (OrderStatus::Shipped, 3));
        let arrived = apply_deadline(shipped.order, ShipmentId::new, at(7), &deadlines).unwrap();
        assert_eq!((arrived.order.status(), arrived.events.len()), (OrderStatus::Delivered, 3));
        let off = ProcessDeadlines { ship_after: None, ..deadlines };
        let left = apply_deadline(confirmed(&[6]), ShipmentId::new, at(2), &off).unwrap();
        assert_eq!((left.changed, left.events.len(), left.order.state.deadline()), (true, 0, None));
    }

    fn placed(method: PaymentMethod) -> Transition {
        place_skus(&["A"], method).unwrap()
    }

    #[test]
    fn an_order_is_priced_from_the_catalogue_copy_or_refused() {
        let place = |skus: &[&str]| place_skus(skus, PaymentMethod::Test);
        assert_eq!(place(&["A"]).unwrap().order.total().map(Money::amount), Some(100));
        assert_eq!(place(&["A", "UNKNOWN"]).unwrap().order.total(), None);
        assert_eq!(place(&["A", "GONE"]), Err(NotForSale(vec!["GONE".parse().unwrap()]).into()));
        assert!(matches!(place(&["A", "EURO"]), Err(PlaceOrderError::Total(_))));
    }

    #[test]
    fn the_built_in_provider_settles_a_reserved_order_at_once() {
        let (payment, deadlines) = (PaymentId::new(), ProcessDeadlines::default());
        let order = placed(PaymentMethod::Test).order;
        let approved = confirm_reservation(order, whole(1, None), payment, at(1), &deadlines);
        assert_eq!(approved.order.status(), OrderStatus::Confirmed);
        let statuses: Vec<OrderStatus> = approved.events.iter().map(|event| event.status).collect();
        assert_eq!(
            statuses,
            [OrderStatus::Reserved, OrderStatus::Reserved, OrderStatus::Confirmed]
        );
        let order = placed(PaymentMethod::TestDecline).order;
        let declined = confirm_reservation(order, whole(1, None), payment, at(1), &deadlines);
        assert_eq!(declined.order.status(), OrderStatus::PaymentFailed);
    }

    #[test]
    fn a_deadline_has_no_effect_before_its_time() {
        let deadlines = ProcessDeadlines::default();
        let order = placed(PaymentMethod::Manual).order;
        let apply = |order, now| apply_deadline(order, ShipmentId::new, now, &deadlines);
        assert_eq!(apply(order.clone(), at(599)), None);
        let expired = apply(order, at(600)).unwrap().order;
        assert_eq!(expired.status(), OrderStatus::Expired);
        assert_eq!(apply(expired, at(100_000)), None);
    }

    #[test]
    fn released_stock_ends_an_order_whose_end_was_lost() {
        let deadlines = ProcessDeadlines::default();
        let placed = placed(PaymentMethod::Test).order;
        let payment = PaymentId::new();
        let confirmed =
            confirm_reservation(placed, whole(1, None), payment, at(1), &deadlines).order;
        let ended = record_stock_released(confirmed, at(2), at(3));
        let kinds: Vec<&OrderEventKind> = ended.events.iter().map(|event| &event.kind).collect();
        let cancelled = OrderEventKind::Cancelled(lost_reason());
        let refunded = OrderEventKind::PaymentRefunded(payment);
        assert_eq!(kinds, [&OrderEventKind::StockReleased, &cancelled, &refunded]);
        assert_eq!(ended.order.status(), OrderStatus::Cancelled);
        let again = record_stock_released(ended.order, at(4), at(4));
        assert_eq!((again.changed, again.events.len()), (false, 1));
    }

    #[test]
    fn scarce_stock_is_held_briefly_and_extended_once() {
        let deadlines = ProcessDeadlines::default();
        let reserve = |left| {
            let order = placed(PaymentMethod::Manual).order;
            confirm_reservation(order, whole(1, left), PaymentId::new(), at(1), &deadlines).order
        };
        let end = |order: &Order| order.state.deadline().unwrap();
        for (left, seconds) in [(None, 600), (Some(20), 600), (Some(19), 180), (Some(0), 180)] {
            let order = reserve(left);
            assert_eq!(end(&order), at(1 + seconds), "{left:?}");
            let extended = extend_hold(order, at(2), &deadlines).unwrap().order;
            assert_eq!(end(&extended), at(1 + 2 * seconds), "{left:?}");
            let again = extend_hold(extended, at(3), &deadlines);
            assert_eq!(again, Err(HoldNotExtendable::ExtendedBefore));
        }
        let unreserved = extend_hold(placed(PaymentMethod::Manual).order, at(1), &deadlines);
        assert_eq!(unreserved, Err(HoldNotExtendable::NotReserved(OrderStatus::Placed)));
    }

    /// A command, event or deadline; any sequence of them may reach an order.
    #[derive(Debug, Clone, Copy)]
    enum Input {
        StockReserved,
        StockRejected,
        StockReleased,
        StockDeducted,
        NoTotal,
        PaymentApproved,
        PaymentDeclined,
        Cancel,
        /// All parcels, or the one with this number. An order without it has no such parcel.
        CarrierShips(Option<usize>),
        CarrierDelivers(Option<usize>),
        /// Seconds.
        TimePasses(u32),
        /// This many pieces of `A`.
        AnnounceReturn(u32),
        /// Of the return with this number: pieces that can be sold again, and pieces that cannot.
        ReceiveReturn(usize, u32, u32),
        RefuseReturn(usize),
        /// This many pieces of `A`, before the shipment.
        CancelPieces(u32),
        /// The payment provider makes the refund with this number.
        ProviderRefunds(usize),
    }

    /// What the database and the payment provider hold for an order, beside the order.
    #[derive(Debug, Clone, Default)]
    struct Books {
        returns: Vec<OrderReturn>,
        /// What is paid back, and whether that is recorded.
        refunds: Vec<(PartRefund, bool)>,
        /// What the provider has paid back: once for each idempotency key, whatever it is asked.
        provider: BTreeMap<RefundId, Money>,
    }

    impl Books {
        fn decided(&mut self, number: usize, decision: ReturnDecision) -> Transition {
            let ReturnDecision { transition, order_return, refund } = decision;
            let Some(amount) = refund else {
                self.returns[number] = order_return;
                return transition;
            };
            let id = order_return.id.as_uuid().into();
            let refund = PartRefund { id, payment: PaymentId::new(), amount };
            self.returns[number] = order_return;
            self.refunds.push((refund.clone(), false));
            transition.with_part_refund(refund, false, at(0))
        }

        /// Applies an input about returns.
        fn apply(&mut self, order: Order, input: Input, now: DateTime<Utc>) -> Option<Transition> {
            match input {
                Input::AnnounceReturn(pieces) => {
                    let quantity = Quantity::new(pieces).ok()?;
                    let lines = vec![("A".parse().unwrap(), quantity, ReturnReason::Other)];
                    let new = NewReturn { id: ReturnId::new(), lines };
                    let terms = ReturnTerms { window: None, delivered_at: None };
                    let decision = request_return(order, &self.returns, new, terms, now).ok()?;
                    self.returns.push(decision.order_return);
                    Some(decision.transition)
                }
                Input::ReceiveReturn(number, restocked, written_off) => {
                    let sku = "A".parse().unwrap();
                    let lines = vec![ReceivedLine { sku, restocked, written_off }];
                    let receipt = ReturnReceipt { warehouse: None, lines };
                    let announced = self.returns.get(number)?.clone();
                    let decision = receive_return(order, announced, receipt, now).ok()?;
                    Some(self.decided(number, decision))
                }
                Input::RefuseReturn(number) => {
                    let announced = self.returns.get(number)?.clone();
                    let decision =
                        refuse_return(order, announced, ReturnRefusal::Used, now).ok()?;
                    Some(self.decided(number, decision))
                }
                Input::CancelPieces(pieces) => {
                    let (sku, quantity) = ("A".parse().unwrap(), Quantity::new(pieces).ok());
                    let decision = cancel_line(order, &sku, quantity, RefundId::new(), now).ok()?;
                    let CancelledLine { transition, cancellation, refund } = decision;
                    let (id, payment) = (cancellation.id, PaymentId::new());
                    let refund = PartRefund { id, payment, amount: refund? };
                    self.refunds.push((refund.clone(), false));
                    Some(transition.with_part_refund(refund, false, now))
                }
                Input::ProviderRefunds(number) => {
                    let (refund, is_recorded) = self.refunds.get_mut(number)?;
                    self.provider.entry(refund.id).or_insert(refund.amount);
                    if *is_recorded {
                        return None;
                    }
                    *is_recorded = true;
                    Some(record_part_refund(order, refund.clone(), now))
                }
                Input::StockReserved
                | Input::StockRejected
                | Input::StockReleased
                | Input::StockDeducted
                | Input::NoTotal
                | Input::PaymentApproved
                | Input::PaymentDeclined
                | Input::Cancel
                | Input::CarrierShips(_)
                | Input::CarrierDelivers(_)
                | Input::TimePasses(_) => None,
            }
        }
    }

    /// What six pieces of `A` cost: amounts that cannot be divided by six.
    fn costs_of_six() -> Costs {
        let cny = |amount| Money::new(amount, Currency::CNY).unwrap();
        let discount = |part, amount| Discount {
            promotion: PromotionId::new(),
            name: "Sale".to_owned(),
            coupon: None,
            part,
            amount: cny(amount),
            is_counted: false,
        };
        let discounts =
            vec![discount(DiscountedPart::Goods, 55), discount(DiscountedPart::Shipping, 10)];
        let shares = [("A".parse().unwrap(), LineShare { discount: 55, tax: 0 })].into();
        Costs::new(cny(600), discounts, cny(29), None, shares).unwrap()
    }

    fn input() -> impl Strategy<Value = Input> {
        let parcel = || prop::option::weighted(0.8, 0usize..3);
        prop_oneof![
            3 => Just(Input::StockReserved),
            1 => Just(Input::StockRejected),
            1 => Just(Input::StockReleased),
            1 => Just(Input::StockDeducted),
            1 => Just(Input::NoTotal),
            3 => Just(Input::PaymentApproved),
            1 => Just(Input::PaymentDeclined),
            2 => Just(Input::Cancel),
            4 => parcel().prop_map(Input::CarrierShips),
            4 => parcel().prop_map(Input::CarrierDelivers),
            3 => (0_u32..1_200).prop_map(Input::TimePasses),
            4 => (1_u32..8).prop_map(Input::AnnounceReturn),
            4 => (0_usize..4, 0_u32..4, 0_u32..3)
                .prop_map(|(number, restocked, written_off)| Input::ReceiveReturn(number, restocked, written_off)),
            1 => (0_usize..4).prop_map(Input::RefuseReturn),
            2 => (1_u32..4).prop_map(Input::CancelPieces),
            3 => (0_usize..4).prop_map(Input::ProviderRefunds),
        ]
    }

    /// The id of a parcel, or one that the order does not have.
    fn parcel_id(order: &Order, number: usize) -> ParcelId {
        order.parcel_list().get(number).map_or_else(ParcelId::new, |parcel| parcel.id)
    }

    /// Applies `input` at second `now`; returns the order afterwards and the new events. Inventory takes `parts` from its warehouses.
    fn apply(
        order: Order,
        books: &mut Books,
        input: Input,
        now: u32,
        parts: &[u32],
    ) -> (Order, Vec<OrderEvent>) {
        let reservation = split(&order, parts);
        let parcel = |number: Option<usize>| number.map(|number| parcel_id(&order, number));
        let (now, deadlines) = (at(now), ProcessDeadlines::default());
        let reason = EndReason::new("code", "text");
        let before = order.clone();
        let payment =
            |outcome| Payment { id: PaymentId::new(), reference: None, outcome, amount: None };
        let transition = match input {
            Input::StockReserved => {
                let reservation = StockReservation { reserved_at: now, ..reservation };
                Some(confirm_reservation(order, reservation, PaymentId::new(), now, &deadlines))
            }
            Input::StockRejected => Some(reject(order, reason, now, now)),
            Input::StockReleased => Some(record_stock_released(order, now, now)),
            Input::StockDeducted => Some(record_stock_deducted(order, now)),
            Input::NoTotal => Some(cancel_unpriced(order, reason, now, now)),
            Input::PaymentApproved => {
                record_payment(order, payment(PaymentOutcome::Approved), now, &deadlines).ok()
            }
            Input::PaymentDeclined => {
                record_payment(order, payment(PaymentOutcome::Declined), now, &deadlines).ok()
            }
            Input::Cancel => cancel(order, reason, now).ok(),
            Input::CarrierShips(number) => {
                let parcel = parcel(number);
                ship(order, parcel, shipment, now).ok()
            }
            Input::CarrierDelivers(number) => {
                let parcel = parcel(number);
                deliver(order, parcel, now).ok()
            }
            Input::TimePasses(_) => apply_deadline(order, ShipmentId::new, now, &deadlines),
            Input::AnnounceReturn(_)
            | Input::ReceiveReturn(..)
            | Input::RefuseReturn(_)
            | Input::CancelPieces(_)
            | Input::ProviderRefunds(_) => books.apply(order, input, now),
        };
        transition.map_or((before, Vec::new()), |transition| (transition.order, transition.events))
    }

    const fn final_status(kind: &OrderEventKind) -> Option<OrderStatus> {
        match kind {
            OrderEventKind::Delivered => Some(OrderStatus::Delivered),
            OrderEventKind::Rejected(_) => Some(OrderStatus::Rejected),
            OrderEventKind::PaymentFailed(_) => Some(OrderStatus::PaymentFailed),
            OrderEventKind::Expired(_) => Some(OrderStatus::Expired),
            OrderEventKind::Cancelled(_) => Some(OrderStatus::Cancelled),
            OrderEventKind::Placed(_)
            | OrderEventKind::StockReserved
            | OrderEventKind::StockRejected(_)
            | OrderEventKind::StockReleased
            | OrderEventKind::StockDeducted
            | OrderEventKind::PaymentApproved(_)
            | OrderEventKind::PaymentDeclined(_)
            | OrderEventKind::PaymentMismatched(_)
            | OrderEventKind::HoldExtended
            | OrderEventKind::RefundRequested(_)
            | OrderEventKind::PaymentRefunded(_)
            | OrderEventKind::PartRefundRequested(_)
            | OrderEventKind::PartRefunded(_)
            | OrderEventKind::LineCancelled(_)
            | OrderEventKind::ReturnRequested(_)
            | OrderEventKind::ReturnReceived(_)
            | OrderEventKind::ReturnRefused(..)
            | OrderEventKind::Confirmed(_)
            | OrderEventKind::ParcelShipped(..)
            | OrderEventKind::ParcelDelivered(_)
            | OrderEventKind::Shipped(_) => None,
        }
    }

    /// What must hold for the returns of an order after each input.
    fn check_returns(order: &Order, books: &Books) -> Result<(), TestCaseError> {
        let line = &order.lines[0];
        let lines = || books.returns.iter().flat_map(|found| &found.lines);
        let arrived: u32 = lines().map(|line| line.restocked + line.written_off).sum();
        prop_assert_eq!(line.returned, arrived);
        let open = books.returns.iter().filter(|found| found.state == ReturnState::Requested);
        let open: u32 = open.flat_map(|found| &found.lines).map(|line| line.quantity.get()).sum();
        prop_assert!(line.returned + open <= order.shipped_pieces(&line.sku));
        let costs = order.costs.as_ref().unwrap();
        let refunds: i64 = books.refunds.iter().map(|(refund, _)| refund.amount.amount()).sum();
        prop_assert_eq!(refunds, order.worth_of_refunds());
        let is_returned = order.status() == OrderStatus::Returned;
        prop_assert_eq!(is_returned, line.returned == line.kept());
        let parcels = order.parcel_list();
        let in_parcels: u32 =
            parcels.iter().flat_map(|parcel| &parcel.lines).map(|line| line.quantity.get()).sum();
        prop_assert_eq!(in_parcels, line.kept());
        prop_assert_eq!(is_returned, refunds == costs.total().amount());
        prop_assert!(refunds <= costs.total().amount());
        let paid: i64 = books.provider.values().map(|amount| amount.amount()).sum();
        prop_assert!(paid <= refunds);
        Ok(())
    }

    proptest! {
        /// For any sequence of inputs: an order ends at most once; each approved payment either pays an order that is
        /// not cancelled, or is refunded once; only a paid order is shipped. Each parcel ships and arrives at most once, and the
        /// status follows from the parcels, however they are interleaved. No more pieces come back than were shipped, each is paid
        /// back once, and all together cost the total. Cancelled pieces are paid back, too, and never ship. Any commit may be lost in a crash; what the payment provider did stays done.
        #[test]
        fn an_order_ends_once_and_every_exit_compensates_once(
            method in prop_oneof![
                Just(PaymentMethod::Test), Just(PaymentMethod::TestDecline), Just(PaymentMethod::Manual)
            ],
            parts in prop_oneof![Just(vec![6]), Just(vec![2, 4]), Just(vec![1, 2, 3]), Just(vec![])],
            inputs in prop::collection::vec((input(), prop::bool::weighted(0.1)), 0..60),
        ) {
            let Transition { mut order, mut events, .. } = placed(method);
            order.lines[0].quantity = Quantity::new(6).unwrap();
            order.costs = Some(costs_of_six());
            let (mut now, mut books) = (0, Books::default());
            for (input, is_lost) in inputs {
                if let Input::TimePasses(seconds) = input {
                    now += seconds;
                }
                let before = order.status();
                let committed = (order.clone(), books.clone());
                let (order_after, more) = apply(order, &mut books, input, now, &parts);
                if is_lost {
                    let provider = books.provider;
                    (order, books) = committed;
                    books.provider = provider;
                    continue;
                }
                let after = order_after.status();
                prop_assert!(after == before || before.may_become(after), "{before} became {after}");
                prop_assert_eq!(more.last().map_or(after, |event| event.status), after);
                order = order_after;
                events.extend(more);
                check_returns(&order, &books)?;
                let is_paid = after.is_paid();
                if is_paid {
                    prop_assert_eq!(order.fulfilment().status(), after);
                } else {
                    prop_assert_eq!(order.fulfilment(), Fulfilment::Unfulfilled);
                }
                prop_assert!(is_paid || !events.iter().any(|event| matches!(event.kind, OrderEventKind::ParcelShipped(..))));
            }
            for parcel in order.parcel_list() {
                let shipped = events.iter().filter(|event| {
                    matches!(&event.kind, OrderEventKind::ParcelShipped(id, _) if *id == parcel.id)
                });
                let arrived = events.iter().filter(|event| event.kind == OrderEventKind::ParcelDelivered(parcel.id));
                let is_one = matches!(order.parcels, Parcels::One { .. });
                prop_assert_eq!(shipped.count(), usize::from(!is_one && parcel.status >= ParcelStatus::Shipped));
                let arrived = arrived.count();
                if order.status() == OrderStatus::Returned {
                    // A parcel may come back before it has arrived.
                    prop_assert!(arrived <= 1);
                } else {
                    prop_assert_eq!(arrived, usize::from(!is_one && parcel.status == ParcelStatus::Delivered));
                }
            }
            let ends: Vec<OrderStatus> = events.iter().filter_map(|event| final_status(&event.kind)).collect();
            if order.status() == OrderStatus::Returned {
                prop_assert!(ends.is_empty() || ends == [OrderStatus::Delivered]);
            } else if order.status().is_final() {
                prop_assert_eq!(&ends, &[order.status()]);
            } else {
                prop_assert!(ends.is_empty());
            }
            let count = |is: &dyn Fn(&OrderEventKind) -> bool| events.iter().filter(|event| is(&event.kind)).count();
            let mut kept = None;
            for event in &events {
                if let OrderEventKind::PaymentApproved(payment) = &event.kind {
                    let id = payment.id;
                    let confirmed = count(&|kind| *kind == OrderEventKind::Confirmed(id));
                    let refunded = count(&|kind| *kind == OrderEventKind::PaymentRefunded(id));
                    prop_assert!(refunded <= 1 && confirmed <= 1 && refunded + confirmed >= 1);
                    if refunded == 0 {
                        prop_assert_eq!(kept.replace(id), None, "two payments were kept");
                    }
                }
            }
            prop_assert_eq!(kept.is_some(), order.status().is_paid());
            let shipped = count(&|kind| matches!(kind, OrderEventKind::Shipped(_)));
            let is_shipped = order.status().is_paid() && order.status() != OrderStatus::Confirmed;
            prop_assert_eq!(shipped, usize::from(is_shipped));
            // The provider is asked until each refund is recorded.
            for number in 0..books.refunds.len() {
                let (after, more) = apply(order, &mut books, Input::ProviderRefunds(number), now, &parts);
                order = after;
                events.extend(more);
            }
            let refunded: Vec<&PartRefund> = events
                .iter()
                .filter_map(|event| if let OrderEventKind::PartRefunded(refund) = &event.kind { Some(refund) } else { None })
                .collect();
            let asked: Vec<&PartRefund> = books.refunds.iter().map(|(refund, _)| refund).collect();
            prop_assert_eq!(refunded.len(), asked.len());
            prop_assert!(asked.iter().all(|refund| refunded.contains(refund)));
            let paid: Vec<(RefundId, Money)> = books.provider.into_iter().collect();
            let mut expected: Vec<(RefundId, Money)> = asked.iter().map(|refund| (refund.id, refund.amount)).collect();
            expected.sort_by_key(|(id, _)| *id);
            prop_assert_eq!(paid, expected);
        }
    }
}
