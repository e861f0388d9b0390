//! The order and its process as pure decisions: no I/O, no clock, no randomness.

mod address;
mod deadlines;
mod line;
mod order;
mod payment;
mod process;
mod shipment;
mod status;
mod transition;

pub(crate) use self::{
    address::{Address, country, one_line},
    deadlines::ProcessDeadlines,
    line::{
        CatalogListing, MAX_LINES, Offer, OrderLine, PlaceOrderError, merge_lines, price_lines,
    },
    order::{EndReason, InvalidTransition, Order, OrderState, Shortage},
    payment::{Payment, PaymentMethod, PaymentOutcome, PaymentTooEarly},
    process::{
        apply_deadline, cancel, cancel_unpriced, confirm_reservation, deliver, place,
        record_payment, record_stock_deducted, record_stock_released, reject, ship,
    },
    shipment::Shipment,
    status::OrderStatus,
    transition::{OrderEvent, OrderEventKind, Transition},
};
