//! Decisions about stock: pure functions of the loaded state.

mod allocation;
mod low_stock;
mod movement;
mod region;
mod reservation;
mod stock;
mod stock_count;
mod warehouse;

pub(crate) use low_stock::{LowStock, ThresholdChange};
pub(crate) use movement::{LedgerEntry, Movement, MovementKind};
pub(crate) use region::{Nearness, Region};
pub(crate) use reservation::{
    Allocation, CancelledPieces, ParcelDeduction, Reservation, ReservationDecision,
    ReservationError, ReservationOutcome, ReservationRequest, ReservationState, ShippedParcel,
    Shortage, UnknownSku, deduct_parcel, release_line, release_or_deduct,
};
pub(crate) use stock::{MAX_ON_HAND, SkuStock, Stock, StockChanges, StockRefusal, WarehouseStock};
pub(crate) use stock_count::StockCount;
pub(crate) use warehouse::{DEFAULT_WAREHOUSE, MAX_WAREHOUSES, Site, Warehouse};
