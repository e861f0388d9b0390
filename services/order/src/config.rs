//! The configuration of the service.

use std::{path::PathBuf, time::Duration};

use reqwest::Url;
use runtime::config::{self, Common};

use crate::domain::ProcessDeadlines;

/// The configuration of the service, from flags and environment variables.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    #[command(flatten)]
    pub common: Common,

    /// Seconds from placing an order until it expires without an answer of inventory.
    #[arg(long, env = "RESERVE_TIMEOUT", value_name = "RESERVE_TIMEOUT", default_value = "600", value_parser = config::term)]
    pub reserve_timeout: Duration,

    /// Seconds from the reservation until an unpaid order expires.
    #[arg(long, env = "PAYMENT_TIMEOUT", value_name = "PAYMENT_TIMEOUT", default_value = "900", value_parser = config::term)]
    pub payment_timeout: Duration,

    /// Seconds from the payment to the shipment by the built-in carrier.
    #[arg(long, env = "SHIP_AFTER", value_name = "SHIP_AFTER", default_value = "1", value_parser = config::term)]
    pub ship_after: Duration,

    /// Seconds from the shipment to the delivery by the built-in carrier.
    #[arg(long, env = "DELIVER_AFTER", value_name = "DELIVER_AFTER", default_value = "5", value_parser = config::term)]
    pub deliver_after: Duration,

    /// Base address of product-catalog, for replays.
    #[arg(
        long,
        env = "PRODUCT_CATALOG_URL",
        value_name = "PRODUCT_CATALOG_URL",
        default_value = "http://127.0.0.1:8081"
    )]
    pub product_catalog_url: Url,

    /// File with the secret that signs webhooks; without it all webhooks are refused.
    #[arg(long, env = "WEBHOOK_SECRET_FILE", value_name = "WEBHOOK_SECRET_FILE")]
    pub webhook_secret_file: Option<PathBuf>,
}

impl AsRef<Common> for Config {
    fn as_ref(&self) -> &Common {
        &self.common
    }
}

impl Config {
    pub(crate) fn deadlines(&self) -> ProcessDeadlines {
        ProcessDeadlines {
            reserve_timeout: self.reserve_timeout,
            payment_timeout: self.payment_timeout,
            ship_after: self.ship_after,
            deliver_after: self.deliver_after,
        }
    }
}
