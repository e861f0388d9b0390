//! The configuration of the service.

use runtime::config::Common;

use crate::domain::LowStock;

/// The configuration of inventory.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// The settings that every service has.
    #[command(flatten)]
    pub common: Common,

    /// Available pieces at which a SKU is low, and `stock.low.v1` is published. A SKU may have a threshold of its own.
    #[arg(
        long,
        env = "LOW_STOCK_THRESHOLD",
        value_name = "LOW_STOCK_THRESHOLD",
        default_value = "5",
        value_parser = clap::value_parser!(u32).range(0..=1_000_000_000)
    )]
    pub low_stock_threshold: u32,
}

impl Config {
    pub(crate) fn low_stock(&self) -> LowStock {
        LowStock { default_threshold: self.low_stock_threshold.into() }
    }
}

impl AsRef<Common> for Config {
    fn as_ref(&self) -> &Common {
        &self.common
    }
}
