//! The configuration of the service.

use runtime::config::Common;

/// The configuration of product-catalog.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// The settings that every service has.
    #[command(flatten)]
    pub common: Common,

    /// Days after which old changes, receipts, finished imports and idempotency keys are deleted.
    #[arg(
        long,
        env = "RETENTION_DAYS",
        value_name = "RETENTION_DAYS",
        default_value_t = Config::RETENTION_DAYS,
        value_parser = clap::value_parser!(u16).range(1..=3650)
    )]
    pub retention_days: u16,
}

impl Config {
    /// The default of `retention_days`.
    pub const RETENTION_DAYS: u16 = 7;
}

impl AsRef<Common> for Config {
    fn as_ref(&self) -> &Common {
        &self.common
    }
}
