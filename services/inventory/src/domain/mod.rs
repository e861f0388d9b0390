//! The decisions: functions of what was loaded, without I/O.

mod reservation;
mod stock;

pub use reservation::{NothingReserved, Reservation, State};
pub use stock::{
    Allocation, Changes, Decision, Inconsistent, Kind, Level, MAX_ON_HAND, Movement, Refusal,
    Shelf, Shortage, Stock,
};
