//! The order and its process as pure decisions: no I/O, no clock, no randomness.

mod address;
pub(crate) mod costs;
mod deadlines;
mod fulfilment;
mod line;
mod line_cancellation;
mod line_process;
mod lost_order;
mod order;
mod order_limits;
mod order_number;
mod order_return;
mod parcel;
mod parcel_status;
mod payment;
mod place_order_error;
mod priority;
mod process;
mod provider_request;
mod return_process;
mod shipment;
mod shown_prices;
mod status;
mod transition;
pub(crate) mod webhooks;

pub use self::priority::{InvalidPriorityQueues, PriorityQueues};

pub(crate) use self::{
    address::{Address, Destination, country, one_line},
    deadlines::ProcessDeadlines,
    fulfilment::Fulfilment,
    line::{CatalogListing, MAX_LINES, NotForSale, Offer, OrderLine, merge_lines, price_lines},
    line_cancellation::LineCancellation,
    line_process::{CancelledLine, LineNotCancellable, cancel_line},
    lost_order::{ReportedStock, lost_reason},
    order::{EndReason, Hold, HoldNotExtendable, InvalidTransition, Order, OrderState, Shortage},
    order_limits::{LimitExceeded, OrderLimits, UnpaidOrders},
    order_number::{InvalidOrderNumber, OrderNumber},
    order_return::{
        NewReturn, OrderReturn, PartRefund, ReturnLine, ReturnReason, ReturnRefusal, ReturnState,
        ReturnedPieces,
    },
    parcel::{Allocation, CancelledPieces, Parcel, ParcelLine, Parcels},
    parcel_status::ParcelStatus,
    payment::{Payment, PaymentMethod, PaymentOutcome, PaymentState, PaymentTooEarly},
    place_order_error::PlaceOrderError,
    priority::PriorityClass,
    process::{
        NewOrder, ParcelRefused, StockReservation, apply_deadline, cancel, cancel_unpriced,
        confirm_reservation, deliver, extend_hold, place, record_payment, record_refund,
        record_stock_deducted, record_stock_released, reject, ship,
    },
    provider_request::{
        Authorisation, AuthorisationAnswer, ProviderAnswer, ProviderOperation, ProviderRequest,
        RequestStep,
    },
    return_process::{
        ExcessPieces, ReceivedLine, ReturnDecision, ReturnDecisionRefused, ReturnNotPossible,
        ReturnReceipt, ReturnTerms, receive_return, record_part_refund, refuse_return,
        request_return,
    },
    shipment::Shipment,
    shown_prices::{ComparedPrice, LinePrices, PriceChange, ShownPrices},
    status::OrderStatus,
    transition::{OrderEvent, OrderEventKind, Transition},
};
