//! Use cases, one file each. They run in the transaction of their caller.

mod adjust_stock;
mod count_stock;
mod create_warehouse;
mod deduct_parcels;
mod receive_returns;
mod register_skus;
mod release_lines;
mod release_or_deduct;
mod repair_lost_levels;
mod reserve_stock;
mod set_stock;
mod update_warehouse;
mod withdraw_skus;
mod write_stock;

pub(crate) use self::{
    adjust_stock::{AdjustStockCommand, adjust_stock},
    count_stock::{CountStockCommand, apply_pending_counts, count_stock},
    create_warehouse::{CreateWarehouseCommand, CreateWarehouseError, create_warehouse},
    deduct_parcels::{DeductParcelCommand, deduct_parcels},
    receive_returns::{ReceiveReturnCommand, receive_returns},
    register_skus::{ListedProduct, register_skus},
    release_lines::{ReleaseLineCommand, release_lines},
    release_or_deduct::{ReleaseOrDeductCommand, release_or_deduct},
    repair_lost_levels::repair_lost_levels,
    reserve_stock::{ReserveStockCommand, reserve_stock},
    set_stock::{SetStockCommand, set_stock, set_stock_batch},
    update_warehouse::{UpdateWarehouseCommand, UpdateWarehouseError, update_warehouse},
    withdraw_skus::withdraw_skus,
    write_stock::StockChangeError,
};
