//! The configuration of the service.

use std::{path::PathBuf, time::Duration};

use chrono_tz::Tz;
use reqwest::Url;
use runtime::config::{self, Common};

use crate::domain::{OrderLimits, PriorityQueues, ProcessDeadlines, webhooks::AddressRule};

/// The configuration of the service, from flags and environment variables.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    #[command(flatten)]
    pub common: Common,

    /// Seconds from placing an order until it expires without an answer of inventory.
    #[arg(long, env = "RESERVE_TIMEOUT", value_name = "RESERVE_TIMEOUT", default_value = "600", value_parser = config::term)]
    pub reserve_timeout: Duration,

    /// Seconds from the reservation until an unpaid order expires.
    #[arg(long, env = "PAYMENT_TIMEOUT", value_name = "PAYMENT_TIMEOUT", default_value = "600", value_parser = config::term)]
    pub payment_timeout: Duration,

    /// The same where fewer than `SCARCE_PIECES` of a SKU are left.
    #[arg(long, env = "SCARCE_PAYMENT_TIMEOUT", value_name = "SCARCE_PAYMENT_TIMEOUT", default_value = "180", value_parser = config::term)]
    pub scarce_payment_timeout: Duration,

    /// Pieces of a SKU below which its stock is scarce.
    #[arg(
        long,
        env = "SCARCE_PIECES",
        value_name = "SCARCE_PIECES",
        default_value = "20",
        value_parser = clap::value_parser!(u32).range(0..=1_000_000)
    )]
    pub scarce_pieces: u32,

    /// Whether the built-in carrier ships and delivers orders by itself. Without it, orders wait for the callbacks of a real one.
    #[arg(
        long,
        env = "BUILT_IN_CARRIER",
        value_name = "BUILT_IN_CARRIER",
        default_value = "true",
        action = clap::ArgAction::Set
    )]
    pub built_in_carrier: bool,

    /// Seconds from the payment to the shipment by the built-in carrier.
    #[arg(long, env = "SHIP_AFTER", value_name = "SHIP_AFTER", default_value = "1", value_parser = config::term)]
    pub ship_after: Duration,

    /// Seconds from the shipment to the delivery by the built-in carrier.
    #[arg(long, env = "DELIVER_AFTER", value_name = "DELIVER_AFTER", default_value = "5", value_parser = config::term)]
    pub deliver_after: Duration,

    /// Days after the delivery in which customers may announce returns. Operators may do so at any time.
    #[arg(
        long,
        env = "RETURN_WINDOW_DAYS",
        value_name = "RETURN_WINDOW_DAYS",
        default_value = "30",
        value_parser = clap::value_parser!(u32).range(0..=3_650)
    )]
    pub return_window_days: u32,

    /// Most pieces of one SKU in one order of a customer.
    #[arg(
        long,
        env = "MAX_LINE_PIECES",
        value_name = "MAX_LINE_PIECES",
        default_value_t = OrderLimits::DEFAULT.pieces_per_line,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub max_line_pieces: u32,

    /// Most pieces of one SKU in all unpaid orders of a customer.
    #[arg(
        long,
        env = "MAX_UNPAID_PIECES",
        value_name = "MAX_UNPAID_PIECES",
        default_value_t = OrderLimits::DEFAULT.unpaid_pieces_per_sku,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub max_unpaid_pieces: u32,

    /// Most unpaid orders of a customer.
    #[arg(
        long,
        env = "MAX_UNPAID_ORDERS",
        value_name = "MAX_UNPAID_ORDERS",
        default_value_t = OrderLimits::DEFAULT.unpaid_orders,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub max_unpaid_orders: u32,

    /// How many of the slot groups of the aggregates `order` and `reservation` have the orders of a class: `vip=1,bulk=3`. The sum is their
    /// number in `SLOT_GROUPS`. Classes are `vip`, `paid`, `unpaid` and `bulk`; one that is not named shares the queues of the next one.
    /// Without it all orders share all queues.
    #[arg(long, env = "PRIORITY_QUEUES", value_name = "PRIORITY_QUEUES")]
    pub priority_queues: Option<PriorityQueues>,

    /// Whether customers may pay with play money: the payment methods `test` and `test_decline`, and
    /// `POST /v1/orders/{id}/payment`. For demonstrations and tests only.
    #[arg(
        long,
        env = "TEST_PAYMENTS",
        value_name = "TEST_PAYMENTS",
        default_value = "false",
        action = clap::ArgAction::Set
    )]
    pub test_payments: bool,

    /// The time zone of days in lists and exports of orders, a name of the IANA database.
    #[arg(
        long,
        env = "SHOP_TIME_ZONE",
        value_name = "SHOP_TIME_ZONE",
        default_value_t = Tz::Asia__Shanghai
    )]
    pub time_zone: Tz,

    /// Base address of product-catalog at its `INTERNAL_ADDR`, for replays.
    #[arg(
        long,
        env = "PRODUCT_CATALOG_URL",
        value_name = "PRODUCT_CATALOG_URL",
        default_value = "http://127.0.0.1:9081"
    )]
    pub product_catalog_url: Url,

    /// File with the secret that signs webhooks; without it all webhooks are refused.
    #[arg(long, env = "WEBHOOK_SECRET_FILE", value_name = "WEBHOOK_SECRET_FILE")]
    pub webhook_secret_file: Option<PathBuf>,

    /// Base address of the payment provider that makes refunds; without it refunds are only recorded.
    #[arg(
        long,
        env = "PAYMENT_PROVIDER_URL",
        value_name = "PAYMENT_PROVIDER_URL",
        requires = "payment_provider_secret_file"
    )]
    pub payment_provider_url: Option<Url>,

    /// File with the secret that signs requests to the payment provider: `whsec_` and Base64.
    #[arg(long, env = "PAYMENT_PROVIDER_SECRET_FILE", value_name = "PAYMENT_PROVIDER_SECRET_FILE")]
    pub payment_provider_secret_file: Option<PathBuf>,

    /// Seconds within which the payment provider must answer.
    #[arg(long, env = "PAYMENT_PROVIDER_TIMEOUT", value_name = "PAYMENT_PROVIDER_TIMEOUT", default_value = "15", value_parser = webhook_timeout)]
    pub payment_provider_timeout: Duration,

    /// Seconds within which an endpoint must answer a webhook of this service.
    #[arg(long, env = "WEBHOOK_TIMEOUT", value_name = "WEBHOOK_TIMEOUT", default_value = "15", value_parser = webhook_timeout)]
    pub webhook_timeout: Duration,

    /// Whether webhooks may be sent without TLS, and to private addresses. For development only: an endpoint could make
    /// the service call what only the service can reach.
    #[arg(
        long,
        env = "WEBHOOK_ALLOW_PRIVATE_ADDRESSES",
        value_name = "WEBHOOK_ALLOW_PRIVATE_ADDRESSES",
        default_value = "false",
        action = clap::ArgAction::Set
    )]
    pub webhook_allow_private_addresses: bool,
}

/// Parses the limit of an attempt, which must be shorter than the claim of a delivery.
fn webhook_timeout(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=30) => Ok(Duration::from_secs(seconds)),
        _ => Err("not a number of seconds from 1 to 30".to_owned()),
    }
}

impl AsRef<Common> for Config {
    fn as_ref(&self) -> &Common {
        &self.common
    }
}

impl Config {
    pub(crate) const fn limits(&self) -> OrderLimits {
        OrderLimits {
            pieces_per_line: self.max_line_pieces,
            unpaid_pieces_per_sku: self.max_unpaid_pieces,
            unpaid_orders: self.max_unpaid_orders,
        }
    }

    pub(crate) fn return_window(&self) -> Duration {
        Duration::from_hours(24 * u64::from(self.return_window_days))
    }

    pub(crate) const fn webhook_addresses(&self) -> AddressRule {
        if self.webhook_allow_private_addresses { AddressRule::Any } else { AddressRule::Public }
    }

    pub(crate) fn deadlines(&self) -> ProcessDeadlines {
        ProcessDeadlines {
            reserve_timeout: self.reserve_timeout,
            payment_timeout: self.payment_timeout,
            scarce_payment_timeout: self.scarce_payment_timeout,
            scarce_pieces: self.scarce_pieces.into(),
            ship_after: self.built_in_carrier.then_some(self.ship_after),
            deliver_after: self.deliver_after,
        }
    }
}
