//! The order and its process, as decisions over data and time: no I/O, no clock, no randomness.

mod address;
mod line;
mod order;
mod process;
mod status;

pub use address::{Address, country, one_line};
pub use line::{Line, Listing, MAX_LINES, Offer, merge};
pub use order::{InvalidTransition, Method, Order, Reason, Shortage, State};
pub use process::{
    Draft, Entry, Happening, Parcel, Payment, PaymentTooEarly, Refused, Taken, Terms, Verdict,
    cancel, deliver, due, pay, place, ship, stock_deducted, stock_rejected, stock_released,
    stock_reserved, unpriceable,
};
pub use status::Status;
