//! What the service is told from outside.

use std::{path::PathBuf, time::Duration};

use reqwest::Url;
use runtime::config::{self, Common};

use crate::domain::Terms;

/// What the service is told from outside.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// What every service is told.
    #[command(flatten)]
    pub common: Common,

    /// Seconds that inventory may take to answer for an order.
    #[arg(long, env = "RESERVE_TIMEOUT", value_name = "RESERVE_TIMEOUT", default_value = "600", value_parser = config::term)]
    pub reserve_timeout: Duration,

    /// Seconds that a reserved order may wait for its payment.
    #[arg(long, env = "PAYMENT_TIMEOUT", value_name = "PAYMENT_TIMEOUT", default_value = "900", value_parser = config::term)]
    pub payment_timeout: Duration,

    /// Seconds from the payment until the built-in carrier ships.
    #[arg(long, env = "SHIP_AFTER", value_name = "SHIP_AFTER", default_value = "1", value_parser = config::term)]
    pub ship_after: Duration,

    /// Seconds from there until the built-in carrier delivers.
    #[arg(long, env = "DELIVER_AFTER", value_name = "DELIVER_AFTER", default_value = "5", value_parser = config::term)]
    pub deliver_after: Duration,

    /// Where the catalogue answers, for building the copy of it again.
    #[arg(
        long,
        env = "PRODUCT_CATALOG_URL",
        value_name = "PRODUCT_CATALOG_URL",
        default_value = "http://127.0.0.1:8081"
    )]
    pub product_catalog_url: Url,

    /// File with the secret that webhooks are signed with; without it no webhook is taken.
    #[arg(long, env = "WEBHOOK_SECRET_FILE", value_name = "WEBHOOK_SECRET_FILE")]
    pub webhook_secret_file: Option<PathBuf>,
}

impl Config {
    /// The terms of the order process.
    pub fn terms(&self) -> Terms {
        Terms {
            reserve_within: self.reserve_timeout,
            pay_within: self.payment_timeout,
            ship_after: self.ship_after,
            deliver_after: self.deliver_after,
        }
    }
}
