//! A flash sale: every customer orders one piece of the same SKU, and almost all come too late.

use std::time::Instant;

use super::{
    BUYERS,
    shop::{CUSTOMERS, FLASH_STOCK, Shop},
};
use crate::{
    buyers::{Allowance, Until},
    error::Error,
    statistics::rate,
};

pub(super) struct FlashSale {
    /// Decided orders, from the first request to the last final status.
    pub(super) orders_per_second: f64,
    pub(super) confirmed: u64,
    pub(super) rejected: u64,
}

/// Fails unless exactly the stock is sold.
pub(super) async fn measure(shop: &Shop) -> Result<FlashSale, Error> {
    let orders = u64::try_from(CUSTOMERS).unwrap_or(u64::MAX);
    let buyers = shop.flash_buyers();
    let began = Instant::now();
    buyers.run(BUYERS, Until::Decided, &Allowance::of(orders)).await?;
    let orders_per_second = rate(orders, began.elapsed());
    let (confirmed, rejected) = (buyers.confirmed(), buyers.rejected());
    if (confirmed, confirmed + rejected) == (FLASH_STOCK, orders) {
        return Ok(FlashSale { orders_per_second, confirmed, rejected });
    }
    Err(Error::Inconsistent(format!(
        "flash sale: {confirmed} confirmed and {rejected} rejected of {orders} orders for {FLASH_STOCK} pieces"
    )))
}
